import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, connect, signUp } from '../harness/test-client.ts';

let parley: Single;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_AUTH_ACCESS_TOKEN_LIFETIME: '6s', PARLEY_AUTH_CLOCK_LEEWAY: '0s' });
});
afterAll(() => parley.end());

const refresh = (refreshToken: unknown) => callApi(parley.url, 'POST', '/v1/auth/refresh', { refreshToken });

test('a socket ends with its token and continues with a newer one of the same user', async () => {
  const ana = await signUp(parley.url);
  const [left, kept] = await Promise.all([connect(parley.url, ana), connect(parley.url, ana)]);
  // Tokens contain seconds, so a newer token needs a later second.
  let newer = ana.accessToken;
  let { refreshToken } = ana;
  let leftIsOpen = true;
  void left.closed.then(() => {
    leftIsOpen = false;
  });
  while (leftIsOpen) {
    const { body } = await refresh(refreshToken);
    ({ refreshToken } = body as { refreshToken: string });
    newer = body.accessToken as string;
    const ack = await kept.ask({ type: 'refresh', token: newer });
    expect(Date.parse(ack.expiresAt as string)).toBeGreaterThan(Date.now());
    await new Promise((wake) => setTimeout(wake, 200));
  }
  expect((await left.closed).code).toBe(4001);
  expect(await kept.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  expect((await kept.closed).code).toBe(4001);
});

test('a refresh frame without a token finds that the session was refreshed elsewhere', async () => {
  const ana = await signUp(parley.url);
  const socket = await connect(parley.url, ana);
  const before = Date.parse((await socket.ask({ type: 'refresh' })).expiresAt as string);
  await expect
    .poll(async () => {
      ({ refreshToken: ana.refreshToken } = (await refresh(ana.refreshToken)).body as { refreshToken: string });
      return Date.parse((await socket.ask({ type: 'refresh' })).expiresAt as string);
    })
    .toBeGreaterThan(before);
});

test('another user’s token closes the socket with 4001 and does not affect that user', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const [socket, bens] = await Promise.all([connect(parley.url, ana), connect(parley.url, ben)]);
  const answer = await socket.ask({ type: 'refresh', token: ben.accessToken });
  expect(answer).toMatchObject({ type: 'error', code: 'unauthenticated' });
  expect((await socket.closed).code).toBe(4001);
  expect(await bens.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
});

test.each([
  ['nonsense', 'abc'],
  ['an unsigned token', `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.e30.`],
])('%s changes nothing: the socket keeps what it has', async (_, token) => {
  const ana = await signUp(parley.url);
  const socket = await connect(parley.url, ana);
  expect(await socket.ask({ type: 'refresh', token })).toMatchObject({ type: 'error', code: 'unauthenticated' });
  expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
});

test('a token of an ended session cannot refresh a socket', async () => {
  const ana = await signUp(parley.url);
  const other = await callApi(parley.url, 'POST', '/v1/auth/login', { login: ana.username, password: ana.password });
  const socket = await connect(parley.url, ana);
  await ana.call('DELETE', '/v1/users/me/sessions?keep=current');
  const answer = await socket.ask({ type: 'refresh', token: other.body.accessToken });
  expect(answer).toMatchObject({ type: 'error', code: 'unauthenticated' });
  expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
});
