/** A Redis that accepts connections and answers nothing: clients are served without it, and it is used again when it wakes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricOf } from '../harness/metric.ts';
import { type RedisProcess, startRedisProcess } from '../harness/redis-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';

const commandTimeoutMs = 300;
let redis: RedisProcess;
let fleet: Fleet;

beforeAll(async () => {
  redis = await startRedisProcess();
  fleet = await startFleet({
    chats: 2,
    processings: 0,
    redisUrl: redis.url,
    settings: {
      PARLEY_MODERATION_TIMEOUT: '5s',
      PARLEY_REDIS_COMMAND_TIMEOUT: `${commandTimeoutMs}ms`,
      PARLEY_REDIS_PROBE_TIMEOUT: '1s',
      PARLEY_REDIS_FAILURES_TO_OPEN: '2',
      PARLEY_REDIS_PROBE_PAUSE_MAX: '1s',
    },
  });
});
afterAll(async () => {
  redis.signal('SIGCONT');
  await fleet.end();
  await redis.kill();
});

test('while Redis hangs sends are acked and arrive, requests do not wait for counts, and the breaker opens; when it wakes the breaker closes and hints flow', async () => {
  const [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
  const [ana, ben] = await Promise.all([signUp(here), signUp(here)]);
  const room = await createRoom([ana, ben]);
  const [from, near, far] = [await connect(here, ana), await connect(here, ben), await connect(there, ben)];
  const breaker = (url: string) => metricOf(url, 'parley_breaker_open', { peer: 'redis-counters' });
  const up = (url: string) => metricOf(url, 'parley_hints_up');
  // A link is up when its first probe has come back.
  await expect.poll(() => Promise.all([up(here), up(there)])).toEqual([1, 1]);

  redis.signal('SIGSTOP');
  for (let n = 0; n < 20; n++) expect(await from.say(room, `frozen ${n}`)).toMatchObject({ type: 'ack' });
  await near.until(({ seq }) => seq === 22);
  await far.until(({ seq }) => seq === 22);
  // The first requests wait for the command's deadline and open the breaker. Later ones do not call Redis.
  for (let n = 0; n < 3; n++) await mustCall(ana, 'GET', '/v1/users/me');
  expect(await breaker(here)).toBe(1);
  // Each of them would wait for the command's deadline if it called Redis.
  const startedMs = performance.now();
  for (let n = 0; n < 100; n++) await mustCall(ana, 'GET', '/v1/users/me');
  expect(performance.now() - startedMs).toBeLessThan(100 * commandTimeoutMs);
  await expect.poll(() => Promise.all([up(here), up(there)])).toEqual([0, 0]);

  redis.signal('SIGCONT');
  await expect.poll(() => breaker(here)).toBe(0);
  await expect.poll(() => Promise.all([up(here), up(there)])).toEqual([1, 1]);
  const received = await metricOf(there, 'parley_hints_received_total');
  await from.say(room, 'awake');
  await far.until(({ seq }) => seq === 23);
  await expect.poll(() => metricOf(there, 'parley_hints_received_total')).toBeGreaterThan(received);
  const all = Array.from({ length: 21 }, (_, n) => n + 3);
  for (const reader of [near, far]) expect(reader.events(room).map(({ seq }) => seq)).toEqual(all);
});
