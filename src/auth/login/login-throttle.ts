/**
 * Limits failed logins. They are counted per typed name and network address together, so somebody who guesses from one
 * address cannot lock the owner out elsewhere. A trusted device is counted by itself, so not even a guesser behind the
 * same address can lock it out.
 *
 * The typed name is counted, not the account: otherwise a refusal would reveal which address belongs to which username.
 * An account has these two names, so there are at most twice as many guesses per place.
 */
import { createHash } from 'node:crypto';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';

export interface LoginAttempt {
  /** A username or an e-mail address, as typed. Its case does not matter. */
  readonly name: string;
  readonly address: string;
  /** The key of a trusted device of the account. */
  readonly knownDevice: string | undefined;
}

export interface LoginThrottle {
  /**
   * Counts an attempt before its outcome is known, so that parallel attempts are limited like consecutive ones.
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
