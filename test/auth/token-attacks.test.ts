import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

/** A valid token, its signing key, and a server that a tricked verifier would call. */
let parley: SharedParley;
let ana: TestUser;
let header: Record<string, unknown>;
let claims: Record<string, unknown>;
let ownKey: KeyObject;
let ownPublicPem: string;
let trap: Server;
let trapUrl: string;
const trapped: string[] = [];

beforeAll(async () => {
  trap = createServer((request, response) => {
    trapped.push(request.url ?? '');
    response.end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/jwks.json`;
  parley = await useSharedParley();
  ana = await signUp(parley.url);
  const [head, body] = ana.accessToken.split('.') as [string, string];
  header = read(head);
  claims = read(body);
  const sql = postgres(parley.database.url, { max: 1 });
  const [row] = await sql`select private_jwk from signing_keys`;
  ownKey = createPrivateKey({ key: row!.private_jwk as never, format: 'jwk' });
  await sql.end();
  const { body: jwks } = await callApi(parley.url, 'GET', '/.well-known/jwks.json');
  ownPublicPem = Buffer.from((jwks.keys as { x: string }[])[0]!.x, 'base64url').toString('base64');
});
afterAll(async () => {
  trap.close();
});

const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
const write = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

type Change = { header?: object; claims?: object };

/** A token signed with Parley's own key: refused for its claims, not for its signature. */
function signed({ header: head = {}, claims: body = {} }: Change, key: KeyObject | undefined = ownKey): string {
  const input = `${write({ ...header, ...head })}.${write({ ...claims, ...body })}`;
  return `${input}.${key ? sign(null, Buffer.from(input), key).toString('base64url') : ''}`;
}

function macced(change: Change, secret: string, digest = 'sha256'): string {
  const input = `${write({ ...header, ...change.header })}.${write({ ...claims, ...change.claims })}`;
  return `${input}.${createHmac(digest, secret).update(input).digest('base64url')}`;
}

const stranger = generateKeyPairSync('ed25519');
const strangerJwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'stranger', alg: 'EdDSA' };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** By attack. Functions, because the keys are known only once Parley runs. */
const attacks: readonly (readonly [string, () => string, string?])[] = [
  ['alg none, no signature', () => signed({ header: { alg: 'none' } }, undefined) || ''],
  [
    'alg NONE in capitals',
    () =>
      `${signed({ header: { alg: 'NONE' } })
        .split('.')
        .slice(0, 2)
        .join('.')}.`,
  ],
  ['alg none with the old signature', () => signed({ header: { alg: 'none' } })],
  ['alg missing', () => signed({ header: { alg: undefined } })],
  ['HS256 with the public key’s bytes', () => macced({ header: { alg: 'HS256' } }, ownPublicPem)],
  [
    'HS256 with the public key as PEM',
    () =>
      macced(
        { header: { alg: 'HS256' } },
        `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(ownPublicPem, 'base64')]).toString('base64')}\n-----END PUBLIC KEY-----\n`,
      ),
  ],
  ['HS512 with an empty secret', () => macced({ header: { alg: 'HS512' } }, '', 'sha512')],
  ['HS256 without a kid', () => macced({ header: { alg: 'HS256', kid: undefined } }, '')],
  [
    'RS256 by a stranger’s key',
    () => {
      const input = `${write({ ...header, alg: 'RS256' })}.${write(claims)}`;
      return `${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`;
    },
  ],
  ['a stranger’s key under our kid', () => signed({}, stranger.privateKey)],
  ['a stranger’s key under its own kid', () => signed({ header: { kid: 'stranger' } }, stranger.privateKey)],
  ['a key in the header (jwk)', () => signed({ header: { jwk: strangerJwk } }, stranger.privateKey)],
  ['our own key, and a jwk', () => signed({ header: { jwk: strangerJwk } })],
  ['keys by address (jku)', () => signed({ header: { jku: trapUrl, kid: 'stranger' } }, stranger.privateKey)],
  ['our own key, and a jku', () => signed({ header: { jku: trapUrl } })],
  ['a certificate by address (x5u)', () => signed({ header: { x5u: trapUrl } }, stranger.privateKey)],
  ['our own key, and an x5u', () => signed({ header: { x5u: trapUrl } })],
  ['a certificate in the header (x5c)', () => signed({ header: { x5c: ['MIIB'] } })],
  ['a kid that is a path', () => signed({ header: { kid: '../../../../../../dev/null' } }, stranger.privateKey)],
  ['a path kid and an empty secret', () => macced({ header: { alg: 'HS256', kid: '/dev/null' } }, '')],
  ['a kid that is an address', () => signed({ header: { kid: trapUrl } }, stranger.privateKey)],
  ['a kid that is SQL', () => signed({ header: { kid: "x' union select 'k" } }, stranger.privateKey)],
  ['a kid that is of every object', () => signed({ header: { kid: '__proto__' } }, stranger.privateKey)],
  ['a kid that is a list', () => signed({ header: { kid: [header.kid] } })],
  ['a kid that is null', () => signed({ header: { kid: null } })],
  ['an unknown crit', () => signed({ header: { crit: ['exp2'], exp2: 1 } })],
  ['an empty crit', () => signed({ header: { crit: [] } })],
  ['b64 false', () => signed({ header: { b64: false, crit: ['b64'] } })],
  ['type JWT', () => signed({ header: { typ: 'JWT' } })],
  ['no type', () => signed({ header: { typ: undefined } })],
  ['type refresh', () => signed({ header: { typ: 'rt+jwt' } })],
  ['another audience', () => signed({ claims: { aud: 'somebody-else' } })],
  ['no audience', () => signed({ claims: { aud: undefined } })],
  ['another issuer', () => signed({ claims: { iss: 'https://evil.example' } })],
  ['no issuer', () => signed({ claims: { iss: undefined } })],
  ['a list of issuers', () => signed({ claims: { iss: ['evil', 'parley'] } })],
  ['expired', () => signed({ claims: { iat: now() - 7200, exp: now() - 3600 } }), 'token_expired'],
  ['no end', () => signed({ claims: { exp: undefined } })],
  ['an end that is a text', () => signed({ claims: { exp: '9999999999' } })],
  ['not yet good', () => signed({ claims: { nbf: now() + 3600 } })],
  ['made in the future', () => signed({ claims: { iat: now() + 3600, exp: now() + 7200 } })],
  ['no subject', () => signed({ claims: { sub: undefined } })],
  ['a subject that is no id', () => signed({ claims: { sub: 'ana' } })],
  ['a subject that is an object', () => signed({ claims: { sub: { id: 1 } } })],
  ['no session', () => signed({ claims: { sid: undefined } })],
  ['a role that there is not', () => signed({ claims: { role: 'root' } })],
  ['claims that are a list', () => signed({}).replace(/\.[^.]+\./, `.${write([])}.`)],
  ['a changed claim', () => ana.accessToken.replace(/\.[^.]+\./, `.${write({ ...claims, role: 'admin' })}.`)],
  [
    'the signature of another token',
    () => `${ana.accessToken.split('.').slice(0, 2).join('.')}.${signed({ claims: { jti: 'x' } }).split('.')[2]}`,
  ],
  ['a signature with padding', () => `${ana.accessToken}==`],
  ['five parts', () => `${ana.accessToken}.x.y`],
  ['one part', () => 'abc'],
  ['8 kB and more', () => signed({ claims: { filler: 'x'.repeat(9000) } })],
];

test('an unchanged token from the test’s signing tool is accepted', async () => {
  const authorization = `Bearer ${signed({})}`;
  expect((await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization })).status).toBe(200);
});

test.each(attacks.map(([name, forge, code = 'unauthenticated']) => ({ name, forge, code })))(
  'a token with $name is refused on REST and on the socket',
  async ({ forge, code }) => {
    const token = forge();
    const authorization = `Bearer ${token}`;
    const rest = await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization });
    expect(rest).toMatchObject({ status: 401, body: { code } });
    const socket = await openSocket(parley.url);
    const answer = await socket.ask({ type: 'hello', token: token.slice(0, 7000) });
    expect(answer.type).toBe('error');
    expect((await socket.closed).code).toBe(4001);
    await expect(openSocket(parley.url, { authorization })).rejects.toMatchObject({ status: 401 });
  },
);

test('none of the tokens made Parley send a request', () => {
  expect(trapped).toEqual([]);
});

test('refresh, mailed and access tokens cannot replace each other', async () => {
  for (const token of [ana.refreshToken, randomUUID()]) {
    const answer = await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
    expect(answer.status).toBe(401);
  }
  const asRefresh = await callApi(parley.url, 'POST', '/v1/auth/refresh', {
    refreshToken: ana.accessToken.slice(0, 500),
  });
  expect(asRefresh.status).toBe(401);
  const asLink = await callApi(parley.url, 'POST', '/v1/auth/verify-email', { token: ana.refreshToken });
  expect(asLink.body).toMatchObject({ code: 'invalid' });
});
