/**
 * The step-up before a sensitive change: it needs a login, or another proof of the same strength, that is not older than
 * `auth.stepUpLifetime`. A stolen token alone cannot remove a second factor.
 */
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { isOwnPassword } from '../credentials/password-check.ts';
import type { Passwords } from '../credentials/passwords.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { FactorProofs, Proof } from './factor-proofs.ts';
import type { MfaFactors } from './mfa-factors.ts';

export interface StepUp {
  /** @throws Failure `step_up_required` unless the login or a step-up is recent, `forbidden` without a session */
  readonly requireFresh: (caller: Caller) => Promise<void>;
  /**
   * Makes the session fresh again.
   * @throws Failure `forbidden` for a wrong proof, `step_up_required` for a password where a second factor is needed,
   *   `rate_limited`, `invalid` without a proof
   */
  readonly stepUp: (caller: Caller, proof: Proof) => Promise<void>;
}

type SessionCaller = Caller & { sessionId: string };

export function createStepUp({
  users,
  passwords,
  sessions,
  factors,
  proofs,
  counters,
  settings: { lifetimeMs, passwordsMax },
}: {
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  factors: MfaFactors;
  proofs: FactorProofs;
  counters: RateCounters;
  settings: {
    readonly lifetimeMs: number;
    /** Wrong passwords in a quarter hour. */
    readonly passwordsMax: number;
  };
}): StepUp {
  async function requireFresh(caller: Caller): Promise<void> {
    requireSession(caller);
    if (!(await sessions.isFresh(caller.sessionId, lifetimeMs))) throw await stepUpRequired(caller.userId);
  }

  async function stepUp(caller: Caller, proof: Proof): Promise<void> {
    requireSession(caller);
    if (!(await isProved(caller, proof))) throw new Failure('forbidden', 'this does not prove who you are');
    await sessions.markAuthenticated(caller.sessionId);
  }

  async function isProved(caller: SessionCaller, { passkey, code, password }: Proof): Promise<boolean> {
    const { userId, sessionId } = caller;
    if (passkey) return proofs.isPasskey(userId, passkey, 'step_up');
    if (code !== undefined) return proofs.useCode(userId, code, `session ${sessionId}`);
    if (password === undefined) throw new Failure('invalid', 'a password, a code or a passkey is needed');
    // As at a login, a password alone is not enough for an account with second factors.
    if (await factors.isEnabled(userId)) throw await stepUpRequired(userId);
    const passwordHash = (await users.find(userId))?.passwordHash;
    return isOwnPassword({ caller, passwordHash, password }, { passwords, counters, failuresMax: passwordsMax });
  }

  async function stepUpRequired(userId: string): Promise<Failure> {
    const methods = await factors.methodsOf(userId);
    const hasPassword = ((await users.find(userId))?.passwordHash ?? null) !== null;
    return new Failure('step_up_required', 'prove again who you are, or log in again', {
      details: { methods: methods.length > 0 ? methods : hasPassword ? ['password'] : [] },
    });
  }

  return { requireFresh, stepUp };
}

/** @throws Failure `forbidden` for a user of a host application, who has no session here */
export function requireSession(caller: Caller): asserts caller is SessionCaller {
  if (caller.sessionId === undefined)
    throw new Failure('forbidden', 'the application that you come from manages this account');
}
