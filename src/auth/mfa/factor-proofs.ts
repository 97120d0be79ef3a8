/** Checks the second factors that a login or a step-up shows: codes, with a limit on wrong ones, and passkeys. */
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { Passkeys } from './passkeys.ts';
import { useRecoveryCode } from './recovery-codes.ts';
import type { TotpFactor } from './totp-factor.ts';

export interface PasskeyAnswer {
  readonly ceremony: string;
  readonly response: AuthenticationResponseJSON;
}

/** What a client shows. Exactly one of the fields is used. */
export interface Proof {
  readonly password?: string;
  readonly code?: string;
  readonly passkey?: PasskeyAnswer;
}

export interface FactorProofs {
  /**
   * Uses up a code of the authenticator app or a recovery code.
   * @param place wrong codes are counted per account and place
   * @throws Failure `rate_limited` after `codesMax` wrong codes in 15 minutes, `unavailable`
   */
  readonly useCode: (userId: string, code: string, place: string) => Promise<boolean>;
  readonly isPasskey: (userId: string, answer: PasskeyAnswer, use: 'second_step' | 'step_up') => Promise<boolean>;
}

const windowMs = 15 * 60_000;
/** A longer text is a recovery code. */
const totpDigits = 6;

export function createFactorProofs({
  db,
  totp,
  passkeys,
  counters,
  codesMax,
}: {
  db: Database;
  totp: Pick<TotpFactor, 'use'>;
  passkeys: Pick<Passkeys, 'finishProof'>;
  counters: RateCounters;
  codesMax: number;
}): FactorProofs {
  async function useCode(userId: string, code: string, place: string): Promise<boolean> {
    const key = `code ${userId} ${place}`;
    await requireRate(counters, key, { max: codesMax, windowMs }, 'too many wrong codes');
    const plain = code.replace(/[\s-]/g, '').toUpperCase();
    const isRight =
      plain.length > totpDigits ? await useRecoveryCode(db, userId, plain) : await totp.use(userId, plain);
    if (isRight) await counters.forget(key);
    return isRight;
  }

  const isPasskey: FactorProofs['isPasskey'] = async (userId, answer, use) => {
    try {
      return (await passkeys.finishProof(use, answer)).id === userId;
    } catch (error) {
      // The caller decides what a wrong passkey means: a step-up must not look like an ended session.
      if (error instanceof Failure && error.code === 'unauthenticated') return false;
      throw error;
    }
  };

  return { useCode, isPasskey };
}
