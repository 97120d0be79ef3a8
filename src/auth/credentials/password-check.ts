import type { Caller } from '../../http/caller/caller.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { Passwords } from './passwords.ts';

export interface PasswordCheck {
  readonly caller: Pick<Caller, 'userId' | 'sessionId'>;
  readonly passwordHash: string | null | undefined;
  readonly password: string;
}

const windowMs = 15 * 60_000;

/**
 * Whether a password that was typed in a session is the account's. Wrong passwords are counted per session, so a stolen
 * token cannot use up the owner's attempts elsewhere.
 * @throws Failure `rate_limited` after `failuresMax` wrong passwords in 15 minutes
 */
export async function isOwnPassword(
  { caller: { userId, sessionId }, passwordHash, password }: PasswordCheck,
  { passwords, counters, failuresMax }: { passwords: Passwords; counters: RateCounters; failuresMax: number },
): Promise<boolean> {
  const key = `password ${userId} ${sessionId ?? ''}`;
  await requireRate(counters, key, { max: failuresMax, windowMs }, 'too many wrong passwords');
  const isRight = await passwords.verify(passwordHash, password);
  if (isRight) await counters.forget(key);
  return isRight;
}
