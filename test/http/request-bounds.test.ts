/** Bounds of requests, each reached: the answer says what it is, a metric counts it, and the next request is served. */
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdUser } from '../harness/held-row.ts';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let ana: TestUser;
let ben: TestUser;
let carla: TestUser;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_HTTP_BODY_BYTES: '4kB',
    PARLEY_HTTP_HEADERS_MAX: '30',
    PARLEY_HTTP_HANDLER_TIMEOUT: '5s',
    PARLEY_HTTP_CONNECTIONS_MAX: '40',
    PARLEY_AUTH_HASH_CONCURRENCY: '1',
    PARLEY_AUTH_HASH_QUEUE_MAX: '3',
    PARLEY_LIMITS_GUESTS_PER_MINUTE: '2',
    PARLEY_LIMITS_REQUESTS_PER_ACCOUNT: '40',
    PARLEY_ROOM_NAME_MAX: '10',
    PARLEY_ROOM_TOPIC_MAX: '12',
    PARLEY_ROOM_MEMBERS_MAX: '2',
    PARLEY_ROOM_DM_MEMBERS_MAX: '2',
    PARLEY_MESSAGE_MAX_LENGTH: '20',
  });
  ana = await signUp(parley.url);
  ben = await signUp(parley.url);
  carla = await signUp(parley.url);
});
afterAll(() => parley.end());

const errors = (code: string) => metricOf(parley.url, 'parley_request_errors_total', { code });

test.each<[string, () => ReturnType<TestUser['call']>, number, string, string | undefined]>([
  ['a body', () => ana.call('POST', '/v1/rooms', { name: 'x'.repeat(5000) }), 413, 'too_large', undefined],
  [
    'headers',
    () =>
      ana.call(
        'GET',
        '/v1/rooms',
        undefined,
        Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`x-${n}`, '1'])),
      ),
    431,
    'headers_too_large',
    undefined,
  ],
  [
    'a name',
    () => ana.call('POST', '/v1/rooms', { name: 'x'.repeat(11), visibility: 'private' }),
    413,
    'too_large',
    '/name',
  ],
  [
    'a topic',
    () => ana.call('POST', '/v1/rooms', { name: 'x', topic: 'x'.repeat(13), visibility: 'private' }),
    413,
    'too_large',
    '/topic',
  ],
  [
    'members',
    () => ana.call('POST', '/v1/rooms', { name: 'x', visibility: 'private', memberIds: [ben.id, carla.id] }),
    400,
    'invalid',
    '/memberIds',
  ],
  [
    'people to write to',
    () => ana.call('POST', '/v1/dms', { userIds: [ben.id, carla.id] }),
    400,
    'invalid',
    '/userIds',
  ],
])('%s beyond the bound: the answer names it, and a metric counts it', async (_, call, status, code, path) => {
  const before = await errors(code);
  const answer = await call();
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
  expect((answer.body.errors as { path: string }[] | undefined)?.[0]?.path).toBe(path);
  expect(await errors(code)).toBe(before + 1);
});

test('a message has so many code points, whatever they weigh, also when it is edited', async () => {
  const room = await createRoom([ana]);
  const path = `/v1/rooms/${room}/messages`;
  const { id } = await mustCall(ana, 'POST', path, { clientId: 'k', text: '🙂'.repeat(20) });
  expect((await ana.call('POST', path, { clientId: 'l', text: '🙂'.repeat(21) })).status).toBe(413);
  expect((await ana.call('PATCH', `${path}/${id}`, { text: 'x'.repeat(21) })).status).toBe(413);
});

test('a full room takes nobody in', async () => {
  const { id } = await mustCall(ana, 'POST', '/v1/rooms', { name: 'full', visibility: 'public', memberIds: [ben.id] });
  expect(await carla.call('PUT', `/v1/rooms/${id}/members/me`, {})).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  await mustCall(ben, 'DELETE', `/v1/rooms/${id}/members/me`);
  expect((await carla.call('PUT', `/v1/rooms/${id}/members/me`, {})).status).toBeLessThan(300);
});

test('a request that is held up is answered in time, and says that its outcome is not known', async () => {
  const held = await holdUser(parley.database, ben.id);
  const answer = await ben.call('PATCH', '/v1/users/me', { displayName: 'Late' });
  expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown' } });
  await held.release();
  expect((await ben.call('PATCH', '/v1/users/me', { displayName: 'In time' })).status).toBe(200);
});

test('no more passwords than the bound wait to be hashed; others are told to come back, and all is well afterwards', async () => {
  const before = await errors('unavailable');
  const logIn = (login: string) => callApi(parley.url, 'POST', '/v1/auth/login', { login, password: ana.password });
  const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => logIn(`nobody${n}`)));
  const away = answers.filter(({ status }) => status === 503);
  expect(answers.filter(({ status }) => status === 401).length).toBe(answers.length - away.length);
  expect(away.length).toBeGreaterThan(0);
  expect(away.length).toBeLessThanOrEqual(12);
  for (const { headers } of away) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await errors('unavailable')).toBe(before + away.length);
  expect((await logIn(ana.username)).status).toBe(200);
});

test('an address makes so many guests in a minute', async () => {
  const before = await errors('rate_limited');
  const guest = () => callApi(parley.url, 'POST', '/v1/auth/guest', { displayName: 'Guest' });
  expect([(await guest()).status, (await guest()).status]).toEqual([201, 201]);
  const third = await guest();
  expect(third).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await errors('rate_limited')).toBe(before + 1);
});

test('an account asks so often in a minute, whatever device it asks from; others are not concerned', async () => {
  const dora = await signUp(parley.url);
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/login', {
    login: dora.username,
    password: dora.password,
  });
  const second = { authorization: `Bearer ${body.accessToken as string}` };
  const statuses: number[] = [];
  for (let n = 0; n < 41; n++) {
    const answer = await dora.call('GET', '/v1/rooms', undefined, n % 2 === 0 ? {} : second);
    statuses.push(answer.status);
  }
  expect(new Set(statuses.slice(0, 38))).toEqual(new Set([200]));
  expect(statuses.at(-1)).toBe(429);
  expect((await carla.call('GET', '/v1/rooms')).status).toBe(200);
});

test('connections beyond the bound are refused, and counted; when some have gone there is room again', async () => {
  const before = await metricOf(parley.url, 'parley_connections_refused_total');
  const port = Number(new URL(parley.url).port);
  let closed = 0;
  const open: Socket[] = Array.from({ length: 60 }, () => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => {
      closed += 1;
    });
    return socket;
  });
  await expect.poll(() => closed).toBeGreaterThanOrEqual(20);
  for (const socket of open) socket.destroy();
  await expect
    .poll(async () => metricOf(parley.url, 'parley_connections_refused_total').catch(() => 0))
    .toBeGreaterThanOrEqual(before + 20);
  expect((await carla.call('GET', '/v1/rooms')).status).toBe(200);
});
