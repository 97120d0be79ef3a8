import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedisProcess } from '../harness/redis-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { callApi, connect, createRoom, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: Fleet;
let redis: Awaited<ReturnType<typeof startRedisProcess>>;
let sql: postgres.Sql;
let one: string;
let two: string;

beforeAll(async () => {
  redis = await startRedisProcess();
  fleet = await startFleet({ chats: 2, processings: 1, redisUrl: redis.url });
  sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  [one, two] = fleet.chats.map(({ url }) => url) as [string, string];
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
  await redis.kill();
});

/** What ends a login, called on the first instance. */
const endings: readonly (readonly [string, (user: TestUser) => Promise<number>])[] = [
  ['a logout', async (user) => (await user.call('POST', '/v1/auth/logout')).status],
  [
    'the end of one login on the device list',
    async (user) => {
      const { body } = await user.call('GET', '/v1/users/me/sessions');
      return (await user.call('DELETE', `/v1/users/me/sessions/${body.items![0]!.id as string}`)).status;
    },
  ],
  ['the end of all logins', async (user) => (await user.call('DELETE', '/v1/users/me/sessions')).status],
  [
    'a password changed on another device',
    async (user) => {
      const { body } = await callApi(one, 'POST', '/v1/auth/login', { login: user.username, password: user.password });
      const change = { currentPassword: user.password, newPassword: 'quite another one' };
      const headers = { authorization: `Bearer ${body.accessToken as string}` };
      return (await callApi(one, 'PUT', '/v1/users/me/password', change, headers)).status;
    },
  ],
];

interface Measured {
  /** From the ack to the last event that the socket still got. */
  readonly silentMs: number;
  readonly closedMs: number;
  readonly code: number;
}

/** Ends a login on one instance while its socket is on the other, in a room where somebody keeps talking. */
async function measure(end: (user: TestUser) => Promise<number>): Promise<Measured> {
  const [talker, user] = await Promise.all([signUp(one), signUp(one)]);
  const room = await createRoom([talker, user]);
  const [mouth, ear] = await Promise.all([connect(one, talker), connect(two, user)]);
  await mouth.say(room, 'before');
  await ear.until((frame) => frame.type === 'message.created');
  let lastHeardMs = 0;
  ear.socket.on('message', () => {
    lastHeardMs = performance.now();
  });
  const closedAt = ear.closed.then(() => performance.now());
  let talking = true;
  const talk = (async () => {
    while (talking) await mouth.say(room, 'still talking');
  })();
  expect(await end(user)).toBe(204);
  const ackedMs = performance.now();
  // Every request that begins after the ack is refused, at once and on the other instance.
  expect((await user.at(two).call('GET', '/v1/users/me')).status).toBe(401);
  const { code } = await ear.closed;
  talking = false;
  await talk;
  const closedMs = Math.max(0, (await closedAt) - ackedMs);
  return { silentMs: Math.max(0, lastHeardMs - ackedMs), closedMs, code };
}

test.for(endings)('%s is silence on another instance within milliseconds', async ([, end], { annotate }) => {
  const { silentMs, closedMs, code } = await measure(end);
  await annotate(`last event ${silentMs.toFixed(1)} ms after the ack, closed after ${closedMs.toFixed(1)} ms`);
  expect(code).toBe(4003);
  expect(silentMs).toBeLessThan(5000);
});

test('a refresh token that is used again late ends the family on every instance', async () => {
  const user = await signUp(one);
  const refresh = (url: string, refreshToken: unknown) => callApi(url, 'POST', '/v1/auth/refresh', { refreshToken });
  const first = await refresh(one, user.refreshToken);
  const socket = await connect(two, { ...user, accessToken: first.body.accessToken as string });
  // Two tabs that were quick: nothing is minted, and nothing harmed.
  expect((await refresh(two, user.refreshToken)).status).toBe(409);
  expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  await sql`update refresh_tokens set rotated_at = rotated_at - interval '16 seconds'
    where rotated_at is not null and session_id in (select id from sessions where user_id = ${user.id})`;
  expect((await refresh(one, user.refreshToken)).status).toBe(401);
  expect((await socket.closed).code).toBe(4003);
  expect((await refresh(two, first.body.refreshToken)).status).toBe(401);
  const authorization = `Bearer ${first.body.accessToken as string}`;
  expect((await callApi(two, 'GET', '/v1/users/me', undefined, { authorization })).status).toBe(401);
});

test('with Redis down it takes the next look at Postgres, and 30 s at most', async ({ annotate }) => {
  await redis.kill();
  const { silentMs, closedMs, code } = await measure(endings[0]![1]);
  await annotate(`last event ${silentMs.toFixed(1)} ms after the ack, closed after ${closedMs.toFixed(1)} ms`);
  expect(code).toBe(4003);
  expect(silentMs).toBeLessThan(30_000);
}, 60_000);
