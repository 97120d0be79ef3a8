/**
 * Counts attempts in time windows: in Redis, so that all instances count together, or in this process.
 *
 * States: `closed` (Redis counts) → `open` (this process counts, and each attempt weighs more, since the other
 * instances count for themselves) when Redis fails or is silent → `closed` when a probe finds it well.
 * Losing every count loses nothing but the memory of attempts.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type BreakerState, createCircuitBreaker } from '../../concurrency/circuit-breaker.ts';
import { Failure } from '../../errors.ts';
import type { Outages } from '../../logger/outages.ts';
import { openRedisLink, type RedisLink, redisOutage } from '../../redis-link.ts';

export interface RateWindow {
  readonly max: number;
  readonly windowMs: number;
}

export interface RateCount {
  /** Attempts in the window, including this one. While Redis is unavailable, each attempt counts for several. */
  readonly count: number;
  /** Time until the window ends. */
  readonly resetMs: number;
}

export interface RateCounters {
  /** Counts one attempt. A window begins with its first attempt. Never throws. */
  readonly hit: (key: string, windowMs: number) => Promise<RateCount>;
  readonly forget: (key: string) => Promise<void>;
  readonly stop: () => void;
}

export interface RedisCounterSettings {
  readonly url: string;
  readonly cluster: boolean;
  readonly prefix: string;
  readonly commandTimeout: number;
  /** Weight of one attempt while Redis is unavailable. */
  readonly fallbackWeight: number;
  /** Consecutive failures after which this process counts alone. */
  readonly failuresToOpen: number;
  /** Longest pause between probes of Redis. */
  readonly probePauseMax: number;
}

/** Keys kept in this process; the oldest are dropped first. */
const keysMax = 50_000;
/** Counts one more and lets the key end with its window; a key that lost its end gets one. */
const countScript = `
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {count, left}`;

/** For one instance alone. */
export function createLocalCounters(weight = 1): RateCounters {
  const windows = new LRUCache<string, { count: number; untilMs: number }>({ max: keysMax });
  return {
    hit: async (key, windowMs) => {
      const now = performance.now();
      const known = windows.get(key);
      const window = known && known.untilMs > now ? known : { count: 0, untilMs: now + windowMs };
      window.count += 1;
      windows.set(key, window);
      return { count: window.count * weight, resetMs: window.untilMs - now };
    },
    forget: async (key) => {
      windows.delete(key);
    },
    stop: () => {},
  };
}

type CountingLink = RedisLink & {
  countAttempt: (key: string, windowMs: number) => Promise<[count: number, leftMs: number]>;
};

export function createRedisCounters(
  settings: RedisCounterSettings,
  outages: Outages,
  onBreaker: (state: BreakerState) => void,
): RateCounters {
  const local = createLocalCounters(settings.fallbackWeight);
  const outage = redisOutage(outages, 'counting attempts');
  const link = openRedisLink(
    settings,
    {
      maxRetriesPerRequest: 1,
      commandTimeout: settings.commandTimeout,
      enableOfflineQueue: false,
      scripts: { countAttempt: { lua: countScript, numberOfKeys: 1 } },
    },
    outage,
  ) as CountingLink;
  const probe = async () => {
    await link.countAttempt(`${settings.prefix}:rate:probe`, 1000);
  };
  // Missing rights are reported before the first attempt needs them.
  link.on('ready', () => void probe().then(outage.ended, outage.failed));
  const breaker = createCircuitBreaker({
    settings: { failuresToOpen: settings.failuresToOpen, pauseMs: 500, pauseMaxMs: settings.probePauseMax },
    probe,
    onChange: onBreaker,
    outage,
    reportAfter: 1,
  });
  // Keys in Redis are hashes, so that they reveal neither addresses nor accounts.
  const nameOf = (key: string) => `${settings.prefix}:rate:${createHash('sha256').update(key).digest('base64url')}`;

  return {
    hit: async (key, windowMs) => {
      if (breaker.state() === 'closed') {
        try {
          const [count, resetMs] = await link.countAttempt(nameOf(key), windowMs);
          breaker.succeeded();
          return { count, resetMs };
        } catch (error) {
          breaker.failed(error);
        }
      }
      return local.hit(key, windowMs);
    },
    forget: async (key) => {
      await local.forget(key);
      if (breaker.state() !== 'closed') return;
      try {
        await link.del(nameOf(key));
      } catch (error) {
        breaker.failed(error);
      }
    },
    stop: () => {
      breaker.stop();
      link.disconnect();
    },
  };
}

/** @throws Failure `rate_limited` with the time until the window ends */
export async function requireRate(
  counters: RateCounters,
  key: string,
  { max, windowMs }: RateWindow,
  message: string,
): Promise<void> {
  const { count, resetMs } = await counters.hit(key, windowMs);
  if (count > max) throw new Failure('rate_limited', message, { retryAfterMs: Math.max(1000, Math.round(resetMs)) });
}

interface StoreAnswer {
  readonly current: number;
  readonly ttl: number;
}

/** The counters as a store of @fastify/rate-limit; each route that has a bound of its own counts for itself. */
export function rateStore(counters: RateCounters) {
  return class RateStore {
    readonly #prefix: string;

    constructor(options: { readonly routeInfo?: { readonly method?: string | string[]; readonly url?: string } }) {
      const { method = '', url = '' } = options.routeInfo ?? {};
      this.#prefix = `address ${String(method)}${url} `;
    }

    incr(key: string, done: (error: Error | null, answer?: StoreAnswer) => void, windowMs: number): void {
      counters.hit(this.#prefix + key, windowMs).then(
        ({ count, resetMs }) => done(null, { current: count, ttl: Math.max(1, Math.round(resetMs)) }),
        (error: Error) => done(error),
      );
    }

    child(options: ConstructorParameters<typeof RateStore>[0]): RateStore {
      return new RateStore(options);
    }
  };
}
