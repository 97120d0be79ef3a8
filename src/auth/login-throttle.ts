/**
 * Failed logins, counted per account and address together: whoever guesses is slowed down where they are, and cannot
 * lock the owner out, who comes from elsewhere.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Failure } from '../errors.ts';

export interface LoginThrottle {
  /** @throws Failure `rate_limited` after too many failures */
  readonly begin: (login: string, address: string | undefined) => { readonly succeeded: () => void };
}

const windowMs = 15 * 60_000;
/** Pairs of account and address remembered; the oldest are forgotten first. */
const pairsMax = 50_000;

export function createLoginThrottle(failuresMax: number): LoginThrottle {
  const failuresOf = new LRUCache<string, { count: number; untilMs: number }>({ max: pairsMax, ttl: windowMs });
  return {
    begin: (login, address = '') => {
      const key = createHash('sha256').update(`${login.toLowerCase()}\0${address}`).digest('base64');
      const now = performance.now();
      const entry = failuresOf.get(key);
      if (entry && entry.count >= failuresMax)
        throw new Failure('rate_limited', 'too many failed logins', {
          retryAfterMs: Math.max(1000, Math.round(entry.untilMs - now)),
        });
      // Counted before the answer is known, so that many at once are not more than many in a row.
      const counted = entry ?? { count: 0, untilMs: now + windowMs };
      counted.count += 1;
      failuresOf.set(key, counted);
      return {
        succeeded: () => {
          failuresOf.delete(key);
        },
      };
    },
  };
}
