/**
 * Presence in Redis: a hash per instance with the contributions of its users, and a sorted set of all instances by their last beat.
 * The hash of an instance that has ended expires by itself.
 */

import type { Outages } from '../../logger/outages.ts';
import { isRefusal, openRedisLink, type RedisLink, type RedisLinkSettings, redisOutage } from '../../redis-link.ts';

export interface PresenceStoreSettings extends RedisLinkSettings {
  readonly prefix: string;
  readonly commandTimeout: number;
  /** An instance without a beat for this long has ended. */
  readonly leaseMs: number;
}

/** Every method rejects while Redis is away. */
export interface PresenceStore {
  /** Says that this instance lives. @returns the age of each instance's last beat, and whether this instance's hash is there */
  readonly beat: (instance: string) => Promise<{ agesMs: ReadonlyMap<string, number>; isKept: boolean }>;
  /** Writes contributions into this instance's hash; an empty one is removed. */
  readonly write: (instance: string, contributions: ReadonlyMap<string, string>) => Promise<void>;
  /** @returns what the instance contributes, in the order of the keys */
  readonly read: (instance: string, keys: readonly string[]) => Promise<readonly (string | null)[]>;
  readonly stop: () => void;
}

/** Users in one command. */
export const storeBatch = 500;

/** Uses Redis' clock, so that the clocks of instances do not matter. @returns pairs of an instance and the age of its beat */
const beatScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 2, #found, 2 do found[at] = tostring(now - tonumber(found[at])) end
return found`;

type PresenceLink = RedisLink & {
  presenceBeat: (key: string, instance: string, leaseMs: number) => Promise<string[]>;
};

export function createPresenceStore(settings: PresenceStoreSettings, outages: Outages): PresenceStore {
  const { prefix, leaseMs } = settings;
  const outage = redisOutage(outages, 'presence');
  const link = openRedisLink(
    settings,
    {
      maxRetriesPerRequest: 1,
      commandTimeout: settings.commandTimeout,
      enableOfflineQueue: false,
      scripts: { presenceBeat: { lua: beatScript, numberOfKeys: 1 } },
    },
    outage,
  ) as PresenceLink;
  const hashOf = (instance: string) => `${prefix}:presence:of:${instance}`;
  // Longer than the lease: after a pause an instance finds its own hash again.
  const keepMs = leaseMs * 2;

  return {
    beat: async (instance) => {
      try {
        const [pairs, kept] = await Promise.all([
          link.presenceBeat(`${prefix}:presence:instances`, instance, leaseMs),
          link.pexpire(hashOf(instance), keepMs),
        ]);
        outage.ended();
        const agesMs = new Map<string, number>();
        for (let at = 0; at + 1 < pairs.length; at += 2) agesMs.set(pairs[at]!, Number(pairs[at + 1]));
        return { agesMs, isKept: kept === 1 };
      } catch (error) {
        if (isRefusal(error)) outage.failed(error);
        throw error;
      }
    },
    write: async (instance, contributions) => {
      const hash = hashOf(instance);
      const entries = [...contributions];
      const set = entries.filter(([, code]) => code !== '').flat();
      const gone = entries.filter(([, code]) => code === '').map(([key]) => key);
      await Promise.all([
        set.length > 0 ? link.hset(hash, ...set) : undefined,
        gone.length > 0 ? link.hdel(hash, ...gone) : undefined,
        link.pexpire(hash, keepMs),
      ]);
    },
    read: (instance, keys) => link.hmget(hashOf(instance), ...keys),
    stop: () => link.disconnect(),
  };
}
