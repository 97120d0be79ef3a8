/** An instance that loses Postgres alone, and one that loses it together with all others. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { type RedisProcess, startRedisProcess } from '../harness/redis-process.ts';
import { connect, createRoom, openSocket, signUp } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let redis: RedisProcess;
let proxies: TcpProxy[];
let chats: ParleyProcess[];

beforeAll(async () => {
  database = await createDatabase();
  redis = await startRedisProcess();
  const port = Number(new URL(database.url).port);
  proxies = await Promise.all([0, 1].map(() => startTcpProxy(() => [port])));
  chats = await Promise.all(
    proxies.map((proxy) => {
      const url = new URL(database.url);
      url.port = String(proxy.port);
      return startParley({
        role: 'chat',
        settings: {
          DATABASE_URL: url.href,
          REDIS_URL: redis.url,
          PARLEY_DRAIN_WINDOW: '1s',
          PARLEY_REALTIME_HEAD_CHECK: '500ms',
          PARLEY_REALTIME_CUT_OFF_AFTER: '3s',
        },
      });
    }),
  );
});
afterAll(async () => {
  await Promise.all(chats.map((chat) => chat.stop()));
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await redis.kill();
  await database.drop();
});

const ready = async (chat: ParleyProcess) => (await fetch(`${chat.url}/health/ready`)).status;

test('an instance that alone loses Postgres becomes unready, sends its clients away at different times, and refuses new ones until it is back', async () => {
  const [first, second] = chats as [ParleyProcess, ParleyProcess];
  const ana = await signUp(first.url);
  const here = await connect(first.url, ana);
  const there = await connect(second.url, ana);
  proxies[0]!.become('swallow');
  const notice = await here.until((frame) => frame.type === 'notice');
  expect(notice.retryAfterMs).toBeGreaterThanOrEqual(0);
  expect((await here.closed).code).toBe(1012);
  expect(await ready(first)).toBe(503);
  expect((await fetch(`${first.url}/health/live`)).status).toBe(200);
  await expect(openSocket(first.url)).rejects.toMatchObject({ status: 503 });
  expect(await (await fetch(`${first.url}/metrics`)).text()).toMatch(/^parley_cut_off 1$/m);
  expect(there.socket.readyState).toBe(there.socket.OPEN);

  proxies[0]!.become('pass');
  await expect.poll(() => ready(first)).toBe(200);
  await expect
    .poll(() =>
      openSocket(first.url).then(
        () => 'open',
        () => 'refused',
      ),
    )
    .toBe('open');
});

test('when no instance reaches Postgres the sockets stay, sends are answered in time, and all work again when it is back', async () => {
  const ana = await signUp(chats[0]!.url);
  const room = await createRoom([ana]);
  const sockets = await Promise.all(chats.map((chat) => connect(chat.url, ana)));
  for (const proxy of proxies) proxy.become('cut');
  await expect.poll(async () => Promise.all(chats.map(ready))).toEqual([503, 503]);
  const answer = await sockets[0]!.say(room, 'into the dark', 'dark');
  expect(['unavailable', 'outcome_unknown']).toContain(answer.code);
  expect(sockets.map(({ socket }) => socket.readyState)).toEqual([1, 1]);

  for (const proxy of proxies) proxy.become('pass');
  await expect.poll(async () => (await sockets[0]!.say(room, 'into the dark', 'dark')).type).toBe('ack');
  await Promise.all(sockets.map((socket) => socket.until((frame) => frame.type === 'message.created')));
  expect(sockets.map((socket) => socket.texts(room))).toEqual([['into the dark'], ['into the dark']]);
});
