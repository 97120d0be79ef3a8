/**
 * Failed logins, counted per account and address together: whoever guesses is slowed down where they are, and cannot
 * lock the owner out, who comes from elsewhere. A device that has logged into the account before is counted by itself,
 * so that not even a guesser behind the same address stands in its way.
 */
import { createHash } from 'node:crypto';
import { type RateCounters, requireRate } from '../http/rate-counters.ts';

export interface LoginAttempt {
  /** The account's id, or what was typed where there is no such account: both are counted alike. */
  readonly account: string;
  readonly address: string;
  /** A device that the account knows. */
  readonly knownDevice: string | undefined;
}

export interface LoginThrottle {
  /**
   * Counts an attempt before its outcome is known, so that many at once are not more than many in a row.
   * @throws Failure `rate_limited` after too many failures
   */
  readonly begin: (attempt: LoginAttempt) => Promise<{ readonly succeeded: () => Promise<void> }>;
}

const windowMs = 15 * 60_000;

export function createLoginThrottle(counters: RateCounters, { failuresMax }: { failuresMax: number }): LoginThrottle {
  return {
    begin: async ({ account, address, knownDevice }) => {
      const place = knownDevice === undefined ? `address ${address}` : `device ${knownDevice}`;
      const key = `login ${createHash('sha256').update(`${account}\0${place}`).digest('base64url')}`;
      await requireRate(counters, key, { max: failuresMax, windowMs }, 'too many failed logins');
      return { succeeded: () => counters.forget(key) };
    },
  };
}
