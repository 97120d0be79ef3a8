/**
 * Counts the open sockets of each user over all instances, through Redis. Each instance writes its own counts into a hash per user and
 * a beat each second. Counts of an instance without a beat for `aliveMs` are ignored, so those of a killed instance are gone before its
 * clients come back.
 *
 * Approximate on purpose: two hellos at the same moment may both be accepted, and without Redis each instance counts alone. Every count
 * is written again each `refreshMs`, so an emptied Redis is filled again.
 */

import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { startPoller } from '../../concurrency/poller.ts';
import type { Outages } from '../../logger/outages.ts';
import { openRedisLink, type RedisLink, type RedisLinkSettings, redisOutage } from '../../redis-link.ts';

export interface UserSockets {
  /** Counts one more socket. @returns false if the user already has `max` open; then nothing is counted */
  readonly enter: (userId: string) => Promise<boolean>;
  /** A socket that was counted has closed. */
  readonly leave: (userId: string) => void;
  readonly stop: () => Promise<void>;
}

export interface RedisUserSocketSettings extends RedisLinkSettings {
  readonly prefix: string;
  readonly commandTimeout: number;
  readonly max: number;
}

const beatMs = 1000;
const aliveMs = 4000;
const refreshMs = 20_000;
/** Redis drops a hash that is not refreshed for this long. */
const keepMs = 3 * refreshMs;
/** Users whose counts are refreshed at once. */
const refreshBatch = 200;

/** Uses Redis' clock, so that the clocks of instances do not matter. @returns the instances with a recent beat */
const beatScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)`;
/** Writes this instance's count. @returns all counts, as pairs of instance and number */
const countScript = `
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return redis.call('HGETALL', KEYS[1])`;

type CountingLink = RedisLink & {
  beat: (key: string, instance: string, aliveMs: number) => Promise<string[]>;
  writeCount: (key: string, instance: string, count: number, keepMs: number) => Promise<string[]>;
};

/** For one instance alone. */
export function createLocalUserSockets(max: number): UserSockets {
  const counts = createCounts();
  return {
    enter: async (userId) => {
      if (counts.of(userId) >= max) return false;
      counts.add(userId, 1);
      return true;
    },
    leave: (userId) => counts.add(userId, -1),
    stop: async () => {},
  };
}

export function createRedisUserSockets(settings: RedisUserSocketSettings, outages: Outages): UserSockets {
  const instance = randomUUID();
  const counts = createCounts();
  const outage = redisOutage(outages, 'counting sockets');
  const link = openRedisLink(
    settings,
    {
      maxRetriesPerRequest: 1,
      commandTimeout: settings.commandTimeout,
      enableOfflineQueue: false,
      scripts: { beat: { lua: beatScript, numberOfKeys: 1 }, writeCount: { lua: countScript, numberOfKeys: 1 } },
    },
    outage,
  ) as CountingLink;
  // Keys hold a hash, so that Redis holds no user ids.
  const keyOf = (userId: string) =>
    `${settings.prefix}:sockets:${createHash('sha256').update(userId).digest('base64url')}`;
  /** The other instances with a recent beat. Empty while Redis is away, so that no hello waits for it. */
  let others: ReadonlySet<string> = new Set();
  let stopped = false;

  async function beat(): Promise<void> {
    try {
      const alive = await link.beat(`${settings.prefix}:sockets:instances`, instance, aliveMs);
      others = new Set(alive.filter((each) => each !== instance));
      outage.ended();
    } catch (error) {
      others = new Set();
      if (!stopped) outage.failed(error);
    }
  }

  async function write(userId: string): Promise<string[]> {
    return link.writeCount(keyOf(userId), instance, counts.of(userId), keepMs);
  }

  /** Never rejects: the next refresh writes the count again. */
  async function writeQuietly(userId: string): Promise<void> {
    await write(userId).catch(() => undefined);
  }

  async function openElsewhere(userId: string): Promise<number> {
    if (others.size === 0) {
      void writeQuietly(userId);
      return 0;
    }
    const pairs = await write(userId).catch(() => [] as string[]);
    let sum = 0;
    for (let at = 0; at + 1 < pairs.length; at += 2) if (others.has(pairs[at]!)) sum += Number(pairs[at + 1]);
    return sum;
  }

  async function refresh(): Promise<void> {
    const users = counts.users();
    for (let at = 0; at < users.length && !stopped; at += refreshBatch) {
      await Promise.all(users.slice(at, at + refreshBatch).map(writeQuietly));
      await pause(10);
    }
  }

  link.on('ready', () => void beat());
  // Not a poller: a beat that hangs must not delay the next one, or this instance would count as gone.
  const beats = setInterval(() => void beat(), beatMs);
  const refreshes = startPoller({ work: refresh, everyMs: refreshMs, onError: outage.failed });

  return {
    enter: async (userId) => {
      if (counts.of(userId) >= settings.max) return false;
      counts.add(userId, 1);
      if (counts.of(userId) + (await openElsewhere(userId)) <= settings.max) return true;
      counts.add(userId, -1);
      void writeQuietly(userId);
      return false;
    },
    leave: (userId) => {
      counts.add(userId, -1);
      void writeQuietly(userId);
    },
    stop: async () => {
      stopped = true;
      clearInterval(beats);
      refreshes.stop();
      link.disconnect();
    },
  };
}

/** The sockets of this process. */
function createCounts() {
  const counts = new Map<string, number>();
  return {
    of: (userId: string) => counts.get(userId) ?? 0,
    users: () => [...counts.keys()],
    add: (userId: string, change: number): void => {
      const count = (counts.get(userId) ?? 0) + change;
      if (count > 0) counts.set(userId, count);
      else counts.delete(userId);
    },
  };
}
