import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { leaseTimes, startInstanceLeases } from './instance-leases.ts';

const graceMs = 15_000;
const { beatMs, leaseMs } = leaseTimes(graceMs);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A Redis that knows when another instance beat last; undefined: Redis is away. */
function start() {
  const redis = { ageMs: 0 as number | undefined, isThere: true, isKept: true };
  const log: string[] = [];
  const note = (what: string) => (instance?: unknown) => void log.push(`${what} ${instance ?? ''}`.trim());
  const leases = startInstanceLeases({
    instance: 'me',
    graceMs,
    store: {
      beat: async () => {
        if (!redis.isThere) throw new Error('away');
        const agesMs = new Map([['me', 0]]);
        if (redis.ageMs !== undefined && redis.ageMs <= leaseMs) agesMs.set('other', redis.ageMs);
        return { agesMs, isKept: redis.isKept };
      },
    },
    events: {
      ...{ onFound: note('found'), onGone: note('gone'), onLost: note('lost'), onBack: note('back') },
      onShared: note('shared'),
    },
  });
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += beatMs) {
      if (redis.ageMs !== undefined && redis.ageMs > 0) redis.ageMs += beatMs;
      await vi.advanceTimersByTimeAsync(beatMs);
    }
  }
  return { redis, log, leases, pass };
}

test('an instance that stops beating is gone before the grace has passed, and not before its lease', async () => {
  const { redis, log, leases, pass } = start();
  await pass(beatMs);
  expect(leases.alive()).toEqual(['other']);
  redis.ageMs = 1;
  await pass(leaseMs - 2 * beatMs);
  expect(log).toEqual(['shared true', 'found other']);
  await pass(graceMs - beatMs - (leaseMs - 2 * beatMs));
  expect(log).toEqual(['shared true', 'found other', 'gone other']);
  leases.stop();
});

test('while Redis is away nobody is declared gone, and afterwards everybody has a whole lease', async () => {
  const { redis, log, leases, pass } = start();
  await pass(beatMs);
  redis.isThere = false;
  await pass(graceMs * 4);
  expect(log).toEqual(['shared true', 'found other', 'shared false']);
  // The other instance has not beaten again yet.
  redis.ageMs = undefined;
  redis.isThere = true;
  redis.isKept = false;
  await pass(beatMs);
  redis.isKept = true;
  await pass(leaseMs - 2 * beatMs);
  expect(log.slice(3)).toEqual(['shared true', 'lost', 'back']);
  expect(leases.alive()).toEqual(['other']);
  await pass(4 * beatMs);
  expect(log.at(-1)).toBe('gone other');
  leases.stop();
});
