import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audience } from '../harness/host-applications.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, connect, createRoom, mustCall, openSocket, signUp, type TestUser } from '../harness/test-client.ts';
import { type HostIssuer, startHostIssuer } from './host-issuer.ts';

const secret = 'a secret of the second application, 32 bytes or more';
const secretIssuer = 'https://second.example';
let parley: Single;
let host: HostIssuer;

beforeAll(async () => {
  host = await startHostIssuer();
  const issuers = [
    {
      issuer: host.issuer,
      audience,
      jwksUrl: host.jwksUrl,
      algorithms: ['ES256'],
      claims: { roles: 'app_roles', rooms: 'chat.rooms', picture: 'avatar' },
    },
    { issuer: secretIssuer, audience, secret },
  ];
  parley = await startSingle({
    PARLEY_AUTH_ISSUERS: JSON.stringify(issuers),
    PARLEY_AUTH_ISSUER_KEYS_REFETCH: '50ms',
  });
});
afterAll(async () => {
  await parley.end();
  await host.stop();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const me = (token: string) => callApi(parley.url, 'GET', '/v1/users/me', undefined, bearer(token));
/** Signs with HS256 by hand, so that a test can change every part. */
function signBySecret(claims: object, header: object = {}, key = secret): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'HS256', typ: 'JWT', ...header },
    { iss: secretIssuer, aud: audience, exp: now + 600, iat: now, ...claims },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signed = parts.join('.');
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

function asTestUser(id: string, token: string): TestUser {
  return {
    ...{ id, username: '', email: '', password: '', accessToken: token, refreshToken: '' },
    call: (method, path, body, headers) => callApi(parley.url, method, path, body, { ...bearer(token), ...headers }),
    at: () => asTestUser(id, token),
  };
}

test('the first token creates a host application’s user, and later tokens find the same one', async () => {
  const token = await host.sign({ sub: 'ana', name: 'Ana of the app', avatar: 'https://app.example/ana.png' });
  const first = await me(token);
  expect(first).toMatchObject({
    status: 200,
    body: { displayName: 'Ana of the app', avatarUrl: 'https://app.example/ana.png', role: 'user' },
  });
  const again = await me(await host.sign({ sub: 'ana', name: 'Ana of the app', jti: 'another' }));
  expect(again.body.id).toBe(first.body.id);
  const other = await me(signBySecret({ sub: 'ana', name: 'Another Ana' }));
  expect(other.body.id).not.toBe(first.body.id);
});

test('forty concurrent first tokens create one account', async () => {
  const tokens = await Promise.all(
    Array.from({ length: 40 }, (_, at) => host.sign({ sub: 'crowd', name: 'Crowd', jti: `${at}` })),
  );
  const answers = await Promise.all(tokens.map(me));
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
  expect(answers[0]!.status).toBe(200);
});

test('a host application’s user opens a socket and chats with everybody', async () => {
  const own = await signUp(parley.url);
  const token = await host.sign({ sub: 'chatty', name: 'Chatty' });
  const { id } = (await me(token)).body as { id: string };
  const guestOfApp = asTestUser(id, token);
  const room = await createRoom([own, guestOfApp]);
  const socket = await connect(parley.url, guestOfApp);
  expect(socket.welcome.rooms).toMatchObject([{ id: room }]);
  expect(await socket.say(room, 'hello from the app')).toMatchObject({ type: 'ack', seq: 3 });
  await socket.close();
});

test('a newer token updates the profile, and an older one does not restore the old name', async () => {
  const now = Math.floor(Date.now() / 1000);
  const old = await host.sign({ sub: 'renamed', name: 'Before', iat: now - 20 });
  await me(old);
  expect((await me(await host.sign({ sub: 'renamed', name: 'After', iat: now }))).body.displayName).toBe('After');
  const late = await host.sign({ sub: 'renamed', name: 'Before', iat: now - 10 });
  expect((await me(late)).body.displayName).toBe('After');
});

test('a name that moderation refuses is not shown', async () => {
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  const { status, body } = await me(await host.sign({ sub: 'rude', name: gtube }));
  expect(status).toBe(200);
  expect(JSON.stringify(body)).not.toContain('GTUBE');
});

test('an address in a token neither opens nor takes the account that owns it', async () => {
  const own = await signUp(parley.url);
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set email_verified_at = now() where id = ${own.id}`;
  await sql.end();
  const { body } = await me(await host.sign({ sub: 'thief', email: own.email, email_verified: true }));
  expect(body.id).not.toBe(own.id);
  expect(body.email).toBeNull();
});

test.each([
  [true, true],
  ['true', true],
  [false, false],
  ['false', false],
  ['TRUE', false],
  [1, false],
  [undefined, false],
])('an address is verified where the token says %j: %s', async (said, emailVerified) => {
  const email = `${randomUUID()}@example.org`;
  const { body } = await me(await host.sign({ sub: randomUUID(), email, email_verified: said }));
  expect(body).toMatchObject({ email, emailVerified });
});

test('roles and rooms in tokens count only if they are configured for the issuer', async () => {
  const owner = await signUp(parley.url);
  const room = await createRoom([owner]);
  const claims = { app_roles: ['moderator'], chat: { rooms: [room, randomUUID()] } };
  const trusted = await host.sign({ sub: 'staff', ...claims });
  expect((await me(trusted)).body.role).toBe('moderator');
  const members = await mustCall(owner, 'GET', `/v1/rooms/${room}/members`);
  expect(members.items).toHaveLength(2);
  const untrusted = signBySecret({ sub: 'staff', roles: ['admin'], role: 'admin', rooms: [room], ...claims });
  expect((await me(untrusted)).body.role).toBe('user');
  expect((await callApi(parley.url, 'GET', `/v1/rooms/${room}`, undefined, bearer(untrusted))).status).toBe(404);
});

test('the next token does not bring a user back to a room they left', async () => {
  const owner = await signUp(parley.url);
  const room = await createRoom([owner], { visibility: 'public' });
  const claims = { sub: 'leaver', chat: { rooms: [room] } };
  const user = asTestUser('', await host.sign(claims));
  expect((await user.call('DELETE', `/v1/rooms/${room}/members/me`)).status).toBe(204);
  const next = asTestUser('', await host.sign({ ...claims, jti: 'next' }));
  expect((await mustCall(next, 'GET', '/v1/rooms')).items).toEqual([]);
});

const now = () => Math.floor(Date.now() / 1000);
const publicPem = async () => {
  const { keys } = (await (await fetch(host.jwksUrl)).json()) as { keys: [Record<string, unknown>] };
  return createPublicKey({ key: keys[0] as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string;
};
const attacks: [string, () => Promise<string> | string, string][] = [
  [
    'alg none',
    () => `${signBySecret({ sub: 'x' }, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`,
    'unauthenticated',
  ],
  ['the secret of somebody else', () => signBySecret({ sub: 'x' }, {}, 'x'.repeat(40)), 'unauthenticated'],
  [
    'a public key used as a secret',
    async () => signBySecret({ iss: host.issuer, sub: 'x' }, {}, await publicPem()),
    'unauthenticated',
  ],
  ['an algorithm that is not configured', () => signBySecret({ sub: 'x' }, { alg: 'HS512' }), 'unauthenticated'],
  ['a key of its own (jwk)', () => host.sign({ sub: 'x' }, { jwk: { kty: 'EC' } } as never), 'unauthenticated'],
  ['a key elsewhere (jku)', () => host.sign({ sub: 'x' }, { jku: 'http://127.0.0.1:1/' } as never), 'unauthenticated'],
  [
    'a certificate elsewhere (x5u)',
    () => signBySecret({ sub: 'x' }, { x5u: 'http://127.0.0.1:1/' }),
    'unauthenticated',
  ],
  ['an unknown crit', () => signBySecret({ sub: 'x' }, { crit: ['exp'] }), 'unauthenticated'],
  ['a key id that is a path', () => host.sign({ sub: 'x' }, { kid: '../../dev/null' }), 'unauthenticated'],
  ['another type', () => host.sign({ sub: 'x' }, { typ: 'logout+jwt' }), 'unauthenticated'],
  ['another audience', () => host.sign({ sub: 'x', aud: 'somebody else' }), 'unauthenticated'],
  ['an unknown issuer', () => host.sign({ sub: 'x', iss: 'https://evil.example' }), 'unauthenticated'],
  ['the end behind it', () => host.sign({ sub: 'x', exp: now() - 1 }), 'token_expired'],
  ['no end', () => host.sign({ sub: 'x', exp: undefined }), 'unauthenticated'],
  ['a beginning ahead', () => host.sign({ sub: 'x', nbf: now() + 300 }), 'unauthenticated'],
  ['made in the future', () => host.sign({ sub: 'x', iat: now() + 300 }), 'unauthenticated'],
  ['no subject', () => host.sign({ sub: undefined }), 'unauthenticated'],
  ['an empty subject', () => host.sign({ sub: '' }), 'unauthenticated'],
  ['a subject with NUL', () => host.sign({ sub: 'a\0b' }), 'unauthenticated'],
  ['a subject without end', () => host.sign({ sub: 'x'.repeat(300) }), 'unauthenticated'],
];

test.each(attacks)('a token with %s is refused, over REST and on a socket', async (_name, make, code) => {
  const token = await make();
  expect((await me(token)).body).toMatchObject({ status: 401, code });
  const socket = await openSocket(parley.url);
  expect(await socket.ask({ type: 'hello', token })).toMatchObject({ type: 'error', code });
  expect((await socket.closed).code).toBe(4001);
});

test('a socket ends with its token', async () => {
  const token = await host.sign({ sub: 'short', exp: now() + 3 });
  const socket = await openSocket(parley.url);
  expect((await socket.ask({ type: 'hello', token })).type).toBe('welcome');
  expect((await socket.closed).code).toBe(4001);
});

test('invented key ids do not cause many requests to the issuer', async () => {
  const before = host.asked();
  const began = performance.now();
  const tokens = await Promise.all(
    Array.from({ length: 200 }, (_, at) => host.sign({ sub: 'x' }, { kid: `invented-${at}` })),
  );
  const answers = await Promise.all(tokens.map(me));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
  // `auth.issuerKeys.refetchBurst` at once, then one per `refetch`.
  expect(host.asked() - before).toBeLessThanOrEqual(5 + Math.ceil((performance.now() - began) / 50));
});

test('keys rotate under load without one refused connection', async () => {
  const outcomes: string[] = [];
  let going = true;
  const load = Array.from({ length: 8 }, async (_, worker) => {
    for (let at = 0; going; at++) {
      const token = await host.sign({ sub: `load-${worker}`, jti: `${at}` });
      const socket = await openSocket(parley.url);
      outcomes.push((await socket.ask({ type: 'hello', token })).type);
      await socket.close();
    }
  });
  for (let rotation = 0; rotation < 5; rotation++) {
    await host.rotate();
    const seen = outcomes.length;
    await expect.poll(() => outcomes.length).toBeGreaterThan(seen + 20);
  }
  going = false;
  await Promise.all(load);
  process.stdout.write(
    `key rotation under load: ${outcomes.length} connects, 5 rotations, ${outcomes.filter((each) => each !== 'welcome').length} failed\n`,
  );
  expect(outcomes.filter((each) => each !== 'welcome')).toEqual([]);
});

test('while an issuer is down, known keys stay valid, unknown ones get `unavailable`, and it recovers by itself', async () => {
  const known = await host.sign({ sub: 'steady' });
  expect((await me(known)).status).toBe(200);
  host.behave('failing');
  expect((await me(await host.sign({ sub: 'steady', jti: 'new' }))).status).toBe(200);
  await host.rotate();
  const unknown = await host.sign({ sub: 'steady' });
  expect((await me(unknown)).body).toMatchObject({ status: 503, code: 'unavailable' });
  const breaker = async () =>
    /^parley_provider_breaker_open\{provider="https:\/\/app.*?\} (\d)/m.exec(
      (await callApi(parley.url, 'GET', '/metrics')).body.text as string,
    )?.[1];
  await expect
    .poll(async () => {
      await me(unknown);
      return breaker();
    })
    .toBe('1');
  host.behave('well');
  await expect.poll(async () => (await me(unknown)).status).toBe(200);
  expect(await breaker()).toBe('0');
});
