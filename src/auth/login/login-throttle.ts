/**
 * Failed logins, counted per typed name and address together: whoever guesses is slowed down where they are, and cannot
 * lock the owner out, who comes from elsewhere. A device that has logged into the account before is counted by itself,
 * so that not even a guesser behind the same address stands in its way.
 *
 * What was typed is counted, not the account it means: a refusal that came early would tell which address belongs to
 * which username. An account answers to these two, so from one place there are at most twice as many guesses at it.
 */
import { createHash } from 'node:crypto';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';

export interface LoginAttempt {
  /** A username or an e-mail address, as it was typed; its case does not matter. */
  readonly name: string;
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
    begin: async ({ name, address, knownDevice }) => {
      const place = knownDevice === undefined ? `address ${address}` : `device ${knownDevice}`;
      const key = `login ${createHash('sha256').update(`${name.toLowerCase()}\0${place}`).digest('base64url')}`;
      await requireRate(counters, key, { max: failuresMax, windowMs }, 'too many failed logins');
      return { succeeded: () => counters.forget(key) };
    },
  };
}
