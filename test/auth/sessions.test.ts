import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, connect, signUp } from '../harness/test-client.ts';

let parley: Single;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_AUTH_REFRESH_GRACE: '1s', PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '3' });
});
afterAll(() => parley.end());

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  callApi(parley.url, method, path, body, headers);
const refresh = (refreshToken: string) => api('POST', '/v1/auth/refresh', { refreshToken });

test('registering returns the account and working tokens', async () => {
  const name = `ana-${randomBytes(3).toString('hex')}`;
  const { status, body } = await api('POST', '/v1/auth/register', {
    username: name,
    email: `${name}@example.org`,
    password: 'a long enough one',
    displayName: 'Ana',
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({ user: { username: name, displayName: 'Ana', emailVerified: false }, expiresIn: 900 });
  const me = await api('GET', '/v1/users/me', undefined, { authorization: `Bearer ${body.accessToken as string}` });
  expect(me).toMatchObject({ status: 200, body: { username: name, email: `${name}@example.org` } });
  expect(JSON.stringify(me.body)).not.toContain('argon2');
});

test('a taken username in any case is a conflict, and a taken address is not revealed', async () => {
  const ana = await signUp(parley.url);
  const again = await api('POST', '/v1/auth/register', {
    username: ana.username.toUpperCase(),
    email: 'other@example.org',
    password: 'a long enough one',
  });
  expect(again).toMatchObject({ status: 409, body: { code: 'conflict' } });
  const sameAddress = await api('POST', '/v1/auth/register', {
    username: `x${ana.username}`,
    email: ana.email,
    password: 'a long enough one',
  });
  expect(sameAddress.status).toBe(201);
});

test.each([
  ['an unknown field', { colour: 'red' }, '/colour'],
  ['a short password', { password: 'short' }, '/password'],
  ['a common password', { password: 'password123' }, '/password'],
  ['a password of 1,025 bytes', { password: 'x'.repeat(1025) }, '/password'],
  ['two addresses', { email: 'a@example.org,b@example.org' }, '/email'],
  ['a line break in the address', { email: 'a@example.org\r\nBcc: b@example.org' }, '/email'],
  ['a name with spaces', { username: 'two words' }, '/username'],
  ['an invisible display name', { displayName: '\u200b\u200b' }, '/displayName'],
  ['a number for a name', { username: 7 }, '/username'],
])('registering with %s is refused by name', async (_, change, path) => {
  const { status, body } = await api('POST', '/v1/auth/register', {
    username: `n${randomBytes(4).toString('hex')}`,
    email: 'n@example.org',
    password: 'a long enough one',
    ...change,
  });
  expect(status).toBe(400);
  expect(body).toMatchObject({ code: 'invalid', errors: [{ path }] });
});

test('login works by name and by address, and does not reveal whether the account exists', async () => {
  const ana = await signUp(parley.url);
  for (const login of [ana.username, ana.username.toUpperCase(), ana.email]) {
    expect((await api('POST', '/v1/auth/login', { login, password: ana.password })).status).toBe(200);
  }
  const wrong = await api('POST', '/v1/auth/login', { login: ana.username, password: 'not the one' });
  const nobody = await api('POST', '/v1/auth/login', { login: 'nobody-at-all', password: 'not the one' });
  expect(wrong.status).toBe(401);
  expect(nobody).toMatchObject({ status: wrong.status, body: wrong.body });
});

test('failed logins are limited', async () => {
  const ana = await signUp(parley.url);
  for (let n = 0; n < 3; n++) await api('POST', '/v1/auth/login', { login: ana.username, password: `guess ${n}` });
  const fourth = await api('POST', '/v1/auth/login', { login: ana.username, password: 'guess 4' });
  expect(fourth).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(fourth.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('a refresh token works once; a retry within the grace period does nothing, later it ends the session', async () => {
  const ana = await signUp(parley.url);
  const socket = await connect(parley.url, ana);
  const first = await refresh(ana.refreshToken);
  expect(first.status).toBe(200);
  expect((await refresh(ana.refreshToken)).status).toBe(409);
  const second = await refresh(first.body.refreshToken as string);
  expect(second.status).toBe(200);
  await expect.poll(async () => (await refresh(ana.refreshToken)).status, { interval: 300 }).toBe(401);
  expect((await refresh(second.body.refreshToken as string)).status).toBe(401);
  expect((await socket.closed).code).toBe(4003);
  expect(
    (await api('GET', '/v1/users/me', undefined, { authorization: `Bearer ${second.body.accessToken as string}` }))
      .status,
  ).toBe(401);
});

test('of many concurrent requests with one refresh token, one gets a successor', async () => {
  const ana = await signUp(parley.url);
  const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(ana.refreshToken)));
  expect(answers.map((each) => each.status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
});

test('a logout ends the token, the refresh token and the socket', async () => {
  const ana = await signUp(parley.url);
  const socket = await connect(parley.url, ana);
  expect((await ana.call('POST', '/v1/auth/logout')).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me')).status).toBe(401);
  expect((await refresh(ana.refreshToken)).status).toBe(401);
  expect((await socket.closed).code).toBe(4003);
});

test('a session can end other sessions of the same user only', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const other = await api('POST', '/v1/auth/login', { login: ana.username, password: ana.password });
  const mine = await ana.call('GET', '/v1/users/me/sessions');
  expect(mine.body.items).toHaveLength(2);
  const target = mine.body.items!.find((each) => each.current === false)!;
  expect((await ben.call('DELETE', `/v1/users/me/sessions/${target.id as string}`)).status).toBe(404);
  expect((await ana.call('DELETE', `/v1/users/me/sessions/${target.id as string}`)).status).toBe(204);
  expect(
    (await api('GET', '/v1/users/me', undefined, { authorization: `Bearer ${other.body.accessToken as string}` }))
      .status,
  ).toBe(401);
  expect((await ana.call('GET', '/v1/users/me')).status).toBe(200);
});

test('a guest needs only a name', async () => {
  const { status, body } = await api('POST', '/v1/auth/guest', { displayName: 'Passer-by' });
  expect(status).toBe(201);
  expect(body).toMatchObject({ user: { kind: 'guest', displayName: 'Passer-by', email: null } });
});

test.each([
  ['no token', undefined],
  ['another scheme', 'Basic YTpi'],
  ['half a token', 'Bearer abc'],
  [
    'alg none',
    `Bearer ${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${Buffer.from('{"sub":"x"}').toString('base64url')}.`,
  ],
])('%s is refused with 401', async (_, authorization) => {
  const answer = await api('GET', '/v1/users/me', undefined, authorization === undefined ? {} : { authorization });
  expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
});

test('a token with a changed payload is refused', async () => {
  const ana = await signUp(parley.url);
  const [header, payload, signature] = ana.accessToken.split('.') as [string, string, string];
  const claims = { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), role: 'admin' };
  const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
  expect((await api('GET', '/v1/users/me', undefined, { authorization: `Bearer ${forged}` })).status).toBe(401);
});

test('the keys of tokens are public, their private halves are not', async () => {
  const { body } = await api('GET', '/.well-known/jwks.json');
  expect(body.keys).toEqual([expect.objectContaining({ kty: 'OKP', crv: 'Ed25519', use: 'sig' })]);
  expect(JSON.stringify(body)).not.toContain('"d"');
});
