/**
 * Presence in Redis: a hash per instance with the contributions of its users, and a sorted set of all instances by their last beat.
 * The hash of an instance that has ended expires by itself. A field of its own says that a hash is complete: without it, Redis has lost
 * the hash and the instance is about to write it again, so nothing follows from what it lacks.
 */

import type { Outages } from '../../logger/outages.ts';
import { isRefusal, openRedisLink, type RedisLink, type RedisLinkSettings, redisOutage } from '../../redis-link.ts';
import { isNone } from './presence-status.ts';

export interface PresenceStoreSettings extends RedisLinkSettings {
  readonly prefix: string;
  readonly commandTimeout: number;
  /** An instance without a beat for this long has ended. */
  readonly leaseMs: number;
}

/** Every method rejects while Redis is away. */
export interface PresenceStore {
  /** Says that this instance lives. @returns the age of each instance's last beat, and whether this instance's hash is complete */
  readonly beat: (instance: string) => Promise<{ agesMs: ReadonlyMap<string, number>; isKept: boolean }>;
  /** Writes contributions with their versions into this instance's hash; those that say none are removed. */
  readonly write: (instance: string, contributions: ReadonlyMap<string, string>) => Promise<void>;
  /** Marks this instance's hash as complete. */
  readonly complete: (instance: string) => Promise<void>;
  /** @returns what the instance contributes, in the order of the keys; undefined if its hash is not complete */
  readonly read: (instance: string, keys: readonly string[]) => Promise<readonly (string | null)[] | undefined>;
  readonly stop: () => void;
}

/** No presence key is this short. */
const completeField = '+';
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
        const [pairs, , complete] = await Promise.all([
          link.presenceBeat(`${prefix}:presence:instances`, instance, leaseMs),
          link.pexpire(hashOf(instance), keepMs),
          link.hexists(hashOf(instance), completeField),
        ]);
        outage.ended();
        const agesMs = new Map<string, number>();
        for (let at = 0; at + 1 < pairs.length; at += 2) agesMs.set(pairs[at]!, Number(pairs[at + 1]));
        return { agesMs, isKept: complete === 1 };
      } catch (error) {
        if (isRefusal(error)) outage.failed(error);
        throw error;
      }
    },
    write: async (instance, contributions) => {
      const hash = hashOf(instance);
      const entries = [...contributions];
      const set = entries.filter(([, value]) => !isNone(value)).flat();
      const gone = entries.filter(([, value]) => isNone(value)).map(([key]) => key);
      await Promise.all([
        set.length > 0 ? link.hset(hash, ...set) : undefined,
        gone.length > 0 ? link.hdel(hash, ...gone) : undefined,
        link.pexpire(hash, keepMs),
      ]);
    },
    complete: async (instance) => {
      await Promise.all([link.hset(hashOf(instance), completeField, '1'), link.pexpire(hashOf(instance), keepMs)]);
    },
    read: async (instance, keys) => {
      const [complete, ...values] = await link.hmget(hashOf(instance), completeField, ...keys);
      return complete === null ? undefined : values;
    },
    stop: () => link.disconnect(),
  };
}
