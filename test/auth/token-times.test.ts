/** A token with an impossible time is refused everywhere; and what a shared secret in place of a key pair changes. */
import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

const issuer = 'https://app.example';
const audience = 'parley-tests';
const hostSecret = 'a secret of the application, 32 bytes or more';
const ownSecret = 'a secret of Parley itself, of 32 bytes or more';
let parley: Single;
let ana: TestUser;

beforeAll(async () => {
  const issuers = [{ issuer, audience, secret: hostSecret }];
  parley = await startSingle({ PARLEY_AUTH_ISSUERS: JSON.stringify(issuers), JWT_SECRET: ownSecret });
  ana = await signUp(parley.url);
});
afterAll(() => parley.end());

const now = () => Math.floor(Date.now() / 1000);
const encode = (text: string) => Buffer.from(text).toString('base64url');

/** `times` are JSON source: numbers that no program writes are the point. */
function sign(header: string, claims: object, times: Record<string, string>, secret: string): string {
  const named = Object.entries(times).map(([name, source]) => `${JSON.stringify(name)}:${source}`);
  const input = `${encode(header)}.${encode(`${JSON.stringify(claims).slice(0, -1)},${named.join(',')}}`)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function hostToken(times: Record<string, string>): string {
  const claims = { iss: issuer, aud: audience, sub: 'ana' };
  const usual = { iat: String(now()), exp: String(now() + 600) };
  return sign('{"alg":"HS256","typ":"JWT"}', claims, { ...usual, ...times }, hostSecret);
}

function ownToken(times: Record<string, string>): string {
  const [header, body] = ana.accessToken.split('.').map((part) => Buffer.from(part, 'base64url').toString()) as [
    string,
    string,
  ];
  const { iat, exp, ...claims } = JSON.parse(body) as Record<string, unknown>;
  return sign(header, claims, { iat: String(iat), exp: String(exp), ...times }, ownSecret);
}

const makers = [
  ['a host application', hostToken],
  ['Parley', ownToken],
] as const;
const odd: readonly Record<string, string>[] = [
  { exp: '1e400' },
  { exp: '1e308' },
  { exp: '1000000000000000' },
  { exp: '9007199254740994' },
  { exp: '8640000000001' },
  { exp: '-1' },
  { exp: '-1e400' },
  { exp: '"9999999999"' },
  { exp: 'null' },
  { exp: 'true' },
  { exp: '[9999999999]' },
  { nbf: '-1e400' },
  { nbf: '-1' },
  { nbf: '"0"' },
  { nbf: '1e400' },
  { iat: '-1e400' },
  { iat: '-1' },
  { iat: '-1000000000000000' },
  { iat: '1e400' },
  { iat: '"0"' },
  { iat: 'null' },
  { auth_time: '1e400' },
];
const cases = makers.flatMap(([name, make]) => odd.map((times) => [name, JSON.stringify(times), make, times] as const));

test.each(cases)(
  'a token of %s with %s is refused over REST, in hello, in refresh and on the upgrade',
  async (_, _times, make, times) => {
    const token = make(times);
    const bearer = { authorization: `Bearer ${token}` };
    const refused = expect.stringMatching(/^(unauthenticated|token_expired)$/);
    const rest = await callApi(parley.url, 'GET', '/v1/users/me', undefined, bearer);
    expect(rest).toMatchObject({ status: 401, body: { code: refused } });
    await expect(openSocket(parley.url, bearer)).rejects.toMatchObject({ status: 401 });
    const socket = await openSocket(parley.url);
    expect(await socket.ask({ type: 'hello', token })).toMatchObject({ type: 'error', code: refused });
    expect((await socket.closed).code).toBe(4001);
    const open = await openSocket(parley.url);
    expect((await open.ask({ type: 'hello', token: make({}) })).type).toBe('welcome');
    expect(await open.ask({ type: 'refresh', token })).toMatchObject({ type: 'error', code: refused });
    // An invalid token changes nothing.
    expect(await open.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
    await open.close();
  },
);

test.each(makers)('a token of %s may contain fractions of seconds and any date', async (_, make) => {
  const open = await openSocket(parley.url);
  expect((await open.ask({ type: 'hello', token: make({}) })).type).toBe('welcome');
  for (const [times, expiresAt] of [
    [{ exp: '4102444800.25', iat: `${now() - 2}.75`, nbf: `${now() - 5}.5` }, '2100-01-01T00:00:00.250Z'],
    [{ exp: '253402300799' }, '9999-12-31T23:59:59.000Z'],
    // Years of five digits have no form in RFC 3339.
    [{ exp: '253402300800' }, '9999-12-31T23:59:59.999Z'],
    [{ exp: '8640000000000' }, '9999-12-31T23:59:59.999Z'],
    [{ exp: '8.64e12', nbf: '0' }, '9999-12-31T23:59:59.999Z'],
  ] as const) {
    const token = make(times);
    const rest = await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
    expect(rest.status).toBe(200);
    expect(await open.ask({ type: 'refresh', token })).toMatchObject({ type: 'ack', expiresAt });
  }
  await open.close();
});

test('with a shared secret, tokens of a key pair or another algorithm are refused', async () => {
  const [head, body] = ana.accessToken.split('.') as [string, string];
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
  expect(header).toMatchObject({ alg: 'HS256' });
  const stranger = generateKeyPairSync('ed25519');
  const made = (change: object, signatureOf: (input: string) => Buffer) => {
    const input = `${encode(JSON.stringify({ ...header, ...change }))}.${body}`;
    return `${input}.${signatureOf(input).toString('base64url')}`;
  };
  const by = (digest: string) => (input: string) => createHmac(digest, ownSecret).update(input).digest();
  const ask = async (token: string) =>
    (await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` })).status;
  expect(await ask(made({}, by('sha256')))).toBe(200);
  expect(await ask(made({ alg: 'HS512' }, by('sha512')))).toBe(401);
  expect(await ask(made({ alg: 'HS384' }, by('sha384')))).toBe(401);
  expect(await ask(made({ kid: 'x' }, by('sha256')))).toBe(401);
  expect(await ask(made({ alg: 'EdDSA' }, (input) => signWith(null, Buffer.from(input), stranger.privateKey)))).toBe(
    401,
  );
  expect(await ask(made({ alg: 'none' }, () => Buffer.alloc(0)))).toBe(401);
  expect((await callApi(parley.url, 'GET', '/.well-known/jwks.json')).body).toEqual({ keys: [] });
});
