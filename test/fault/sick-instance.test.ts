/** One instance of several that was paused, whose clock is wrong, or whose clients have silently gone. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import { metricOf } from '../harness/metric.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { pauseProcess } from '../harness/stopped-process.ts';
import { callApi, connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';

let fleet: Fleet;
let well: string;
let sick: ParleyProcess;

/** A process whose wall clock is wrong. Its monotonic clock is right. */
const wrongClock = (shiftMs: number) =>
  `const real = Date; const shift = ${shiftMs};
  globalThis.Date = class extends real { constructor(...a) { a.length ? super(...a) : super(real.now() + shift); } static now() { return real.now() + shift; } };`;

beforeAll(async () => {
  fleet = await startFleet({
    chats: 2,
    processings: 0,
    settings: {
      PARLEY_MODERATION_TIMEOUT: '5s',
      PARLEY_REALTIME_STALL: '1500ms',
      PARLEY_REALTIME_HEARTBEAT: '1s',
      PARLEY_REALTIME_PONG_TIMEOUT: '4s',
    },
  });
  well = fleet.chats[0]!.url;
  sick = fleet.chats[1]!;
});
afterAll(() => fleet.end());

test('an instance reads authority again after a process pause before it sends anything', async () => {
  const [ana, ben] = await Promise.all([signUp(well), signUp(well)]);
  const room = await createRoom([ana, ben]);
  const [gone, stays] = [await connect(sick.url, ana), await connect(sick.url, ben)];
  // Longer than realtime.stall, so that it is noticed.
  const standstill = pauseProcess(sick, 2500);
  await mustCall(ana, 'POST', '/v1/auth/logout');
  for (let n = 0; n < 5; n++)
    await mustCall(ben, 'POST', `/v1/rooms/${room}/messages`, { clientId: `after ${n}`, text: `after ${n}` });
  await standstill.end();
  expect((await gone.closed).code).toBe(4003);
  expect(gone.texts(room)).toEqual([]);
  await stays.until((frame) => frame.seq === 7);
  expect(stays.texts(room)).toEqual([0, 1, 2, 3, 4].map((n) => `after ${n}`));
  expect(await metricOf(sick.url, 'parley_stalls_total')).toBeGreaterThan(0);
});

test('a client that does not answer pings is disconnected; one that answers stays', async () => {
  const ana = await signUp(well);
  const proxy = await startTcpProxy(() => [Number(new URL(sick.url).port)]);
  const silentPeers = () => metricOf(sick.url, 'parley_socket_closes_total', { code: '1006' });
  const [welcomed, before] = [await metricOf(sick.url, 'parley_sockets_welcomed'), await silentPeers()];
  const quiet = await connect(sick.url, ana);
  const silent = await connect(`http://127.0.0.1:${proxy.port}`, ana);
  expect(await metricOf(sick.url, 'parley_sockets_welcomed')).toBe(welcomed + 2);
  // Neither end notices: no byte arrives, and nothing says that the connection has ended.
  proxy.become('swallow');
  await expect.poll(silentPeers).toBe(before + 1);
  expect(await metricOf(sick.url, 'parley_sockets_welcomed')).toBe(welcomed + 1);
  expect(await quiet.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  silent.socket.terminate();
  await quiet.close();
  await proxy.stop();
});

test.each([
  ['behind', -3_600_000],
  ['ahead', 3_600_000],
])(
  'a clock that is an hour %s changes neither order nor times, what is a repeat, when mail is due, nor logins elsewhere',
  async (_, shiftMs) => {
    const skewed = await startParley({
      role: 'chat',
      settings: {
        DATABASE_URL: fleet.database.url,
        PARLEY_MODERATION_TIMEOUT: '5s',
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(wrongClock(shiftMs))}`,
      },
    });
    try {
      const ana = await signUp(well);
      const room = await createRoom([ana, await signUp(well)]);
      // The instance that reads a token uses its own clock, so the login is made on the instance that is used.
      const { body } = await callApi(skewed.url, 'POST', '/v1/auth/login', {
        login: ana.username,
        password: ana.password,
      });
      const there = await connect(skewed.url, { ...ana, accessToken: body.accessToken as string });
      const startMs = Date.now();
      const post = (clientId: string, text: string) =>
        mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId, text });
      const first = await there.say(room, 'one', 'k1');
      const second = await post('k2', 'two');
      const third = await there.say(room, 'three', 'k3');
      expect([first.seq, second.seq, third.seq]).toEqual([3, 4, 5]);
      const times = [first.createdAt, second.createdAt, third.createdAt].map((at) => Date.parse(at as string));
      expect(times).toEqual(times.toSorted((left, right) => left - right));
      for (const at of times) expect(Math.abs(at - startMs)).toBeLessThan(60_000);
      expect(await post('k1', 'one')).toMatchObject({ seq: 3, duplicate: true });
      expect(await there.say(room, 'two', 'k2')).toMatchObject({ seq: 4, duplicate: true });
      const due = await dueIn(room);
      expect(due).toHaveLength(1);
      expect(due[0]).toBeGreaterThan(500);
      expect(due[0]).toBeLessThanOrEqual(600);
      expect(await there.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
      expect((await ana.call('GET', '/v1/users/me')).status).toBe(200);
      const renewed = await callApi(well, 'POST', '/v1/auth/refresh', { refreshToken: ana.refreshToken });
      expect(renewed.status).toBe(200);
    } finally {
      await skewed.stop();
    }
  },
);

/** Seconds until the mail jobs of a room are due, by the database's clock. */
async function dueIn(room: string): Promise<number[]> {
  const sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql`select extract(epoch from j.run_at - clock_timestamp())::float8 as due
      from graphile_worker._private_jobs j where j.key = ${`room-unread:${room}`}`;
    return rows.map(({ due }) => due as number);
  } finally {
    await sql.end();
  }
}
