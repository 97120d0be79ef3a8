/** A content type without a body counts as no body: many helpers set it on every call. */
import { connect as connectTcp } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
});

/** Ways to say nothing; over plain TCP, because clients differ in which one they choose. */
const ways = {
  'neither a length nor chunks': ['', ''],
  'a length of 0': ['content-length: 0\r\n', ''],
  'chunks that are none': ['transfer-encoding: chunked\r\n', '0\r\n\r\n'],
} as const;
const types = [
  'application/json',
  'application/json; charset=utf-8',
  'application/problem+json',
  'text/plain',
  'application/x-www-form-urlencoded',
];

function send(
  user: TestUser | undefined,
  method: string,
  path: string,
  type: string,
  [head, body]: readonly [string, string],
) {
  const login = user ? `authorization: Bearer ${user.accessToken}\r\n` : '';
  return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
    const socket = connectTcp(Number(new URL(parley.url).port), '127.0.0.1', () =>
      socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: parley\r\nconnection: close\r\ncontent-type: ${type}\r\n${login}${head}\r\n${body}`,
      ),
    );
    let read = '';
    socket.on('data', (chunk) => {
      read += chunk.toString('utf8');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [headers = '', text = ''] = read.split('\r\n\r\n');
      resolve({ status: Number(headers.split(' ')[1]), body: text.startsWith('{') ? JSON.parse(text) : {} });
    });
  });
}

/** Routes without a body, and those whose body may be left out, with what they answer. */
const calls: readonly (readonly [string, number, () => Promise<readonly [TestUser, string, string]>])[] = [
  ['logout', 204, async () => [await signUp(parley.url), 'POST', '/v1/auth/logout']],
  ['joining a room', 200, async () => [ben, 'PUT', `/v1/rooms/${await publicRoom()}/members/me`]],
  ['deleting a room', 204, async () => [ana, 'DELETE', `/v1/rooms/${await createRoom([ana])}`]],
  ['deleting a message', 204, async () => [ana, 'DELETE', await message()]],
  ['leaving a room', 204, async () => [ben, 'DELETE', `/v1/rooms/${await createRoom([ana, ben])}/members/me`]],
  ['an invite', 201, async () => [ana, 'POST', `/v1/rooms/${await createRoom([ana])}/invites`]],
  ['a block', 204, async () => [ana, 'PUT', `/v1/users/me/blocks/${ben.id}`]],
  ['the end of a block', 204, async () => [ana, 'DELETE', `/v1/users/me/blocks/${ben.id}`]],
  ['ending the other logins', 204, async () => [ana, 'DELETE', '/v1/users/me/sessions?keep=current']],
  ['asking for the mailed link again', 202, async () => [ana, 'POST', '/v1/users/me/email/verification']],
  ['erasing an account', 200, async () => [await signUp(parley.url), 'DELETE', '/v1/users/me']],
];

async function publicRoom(): Promise<string> {
  return createRoom([ana], { visibility: 'public' });
}

async function message(): Promise<string> {
  const room = await createRoom([ana]);
  const { id } = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'x', text: 'x' });
  return `/v1/rooms/${room}/messages/${id}`;
}

test.each(Object.entries(ways))('JSON of %s acts as no body, wherever a body may be absent', async (_, way) => {
  for (const [what, status, prepare] of calls) {
    const [user, method, path] = await prepare();
    const answer = await send(user, method, path, 'application/json', way);
    expect([what, answer.status, answer.body.errors]).toEqual([what, status, undefined]);
  }
});

test.each(types)('%s of nothing acts as no body where that is said ahead', async (type) => {
  for (const way of [ways['neither a length nor chunks'], ways['a length of 0']])
    expect((await send(ana, 'PUT', `/v1/users/me/blocks/${ben.id}`, type, way)).status).toBe(204);
});

test.each(Object.entries(ways))('JSON of %s is invalid where a body is needed', async (_, way) => {
  const room = await createRoom([ana]);
  for (const [method, path] of [
    ['POST', '/v1/rooms'],
    ['PATCH', `/v1/rooms/${room}`],
    ['POST', `/v1/rooms/${room}/messages`],
    ['PUT', `/v1/rooms/${room}/read`],
    ['PATCH', '/v1/users/me'],
    ['POST', '/v1/dms'],
    ['POST', '/v1/auth/login'],
    ['POST', '/v1/auth/register'],
  ] as const) {
    const answer = await send(ana, method, path, 'application/json', way);
    expect([path, answer.status, answer.body.code]).toEqual([path, 400, 'invalid']);
  }
});

test('a refresh without a body exchanges the token of the cookie', async () => {
  const headers = { 'parley-session': 'cookie', origin: parley.url };
  const login = { login: ana.username, password: ana.password };
  const kept = await callApi(parley.url, 'POST', '/v1/auth/login', login, headers);
  const cookie = kept.headers
    .getSetCookie()
    .map((line) => line.split(';')[0]!)
    .join('; ');
  const json = { ...headers, cookie, 'content-type': 'application/json' };
  expect((await callApi(parley.url, 'POST', '/v1/auth/refresh', undefined, json)).status).toBe(200);
  const none = await callApi(parley.url, 'POST', '/v1/auth/refresh', undefined, { 'content-type': 'application/json' });
  expect(none).toMatchObject({ status: 400, body: { code: 'invalid', errors: [{ path: '/refreshToken' }] } });
});

test('what is not JSON is refused still, and a key that would change every object too', async () => {
  for (const body of ['{', ' ', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{"a":1}}}'])
    expect((await ana.call('POST', '/v1/rooms', body)).body).toMatchObject({ code: 'invalid' });
});
