/**
 * The second step of a login, and the step up before a grave change.
 *
 * A login of somebody with second factors is begun (the password was right: `second_factor_required` with a challenge)
 * → finished by a code or a passkey. A grave change needs a login, or a proof like that one, not older than
 * `auth.stepUpLifetime`: a stolen token alone takes no factor away.
 */
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import type { Passwords } from '../credentials/passwords.ts';
import type { ProvedAccount } from '../sessions/proved-account.ts';
import type { Device, SessionStore } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import type { MfaFactors } from './mfa-factors.ts';
import type { Ceremony, Passkeys } from './passkeys.ts';

export interface PasskeyAnswer {
  readonly ceremony: string;
  readonly response: AuthenticationResponseJSON;
}

/** One of them. */
export interface Proof {
  readonly password?: string;
  readonly code?: string;
  readonly passkey?: PasskeyAnswer;
}

export interface MfaChallenge {
  /** Whether the account has second factors. */
  readonly isAskedOf: (userId: string) => Promise<boolean>;
  /** @throws Failure `second_factor_required` with a challenge when the account has second factors */
  readonly requireNone: (user: UserRow) => Promise<void>;
  /** @returns whose login it finishes. @throws Failure `unauthenticated`, `rate_limited` */
  readonly finish: (challenge: string, proof: Proof, device: Device) => Promise<ProvedAccount>;
  /** @throws Failure `unauthenticated` */
  readonly beginByPasskey: (challenge: string) => Promise<Ceremony<unknown>>;
  /** @throws Failure `step_up_required` unless the login, or a step up in it, is fresh */
  readonly requireFresh: (caller: Caller) => Promise<void>;
  /** Makes the login fresh. @throws Failure `forbidden` for a wrong proof, `step_up_required` for one that is not enough */
  readonly stepUp: (caller: Caller, proof: Proof) => Promise<void>;
}

export interface MfaChallengeSettings {
  readonly stepUpLifetimeMs: number;
  /** Wrong codes in a quarter hour. */
  readonly codesMax: number;
}

const challengeLifetimeMs = 10 * 60_000;
const windowMs = 15 * 60_000;

export function createMfaChallenge({
  db,
  users,
  passwords,
  sessions,
  factors,
  passkeys,
  oneTimeTokens,
  trustedDevices,
  counters,
  settings,
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  factors: MfaFactors;
  passkeys: Passkeys;
  oneTimeTokens: OneTimeTokens;
  trustedDevices: TrustedDevices;
  counters: RateCounters;
  settings: MfaChallengeSettings;
}): MfaChallenge {
  const { codesMax, stepUpLifetimeMs } = settings;
  const stale = () => new Failure('unauthenticated', 'this login was not begun here, or too long ago: log in again');

  /** Whoever guesses codes knows the password already; strangers share one allowance, a known device has its own. */
  async function limitCodes(userId: string, place: string): Promise<string> {
    const key = `code ${userId} ${place}`;
    await requireRate(counters, key, { max: codesMax, windowMs }, 'too many wrong codes');
    return key;
  }

  async function finish(challenge: string, { code, passkey }: Proof, device: Device): Promise<ProvedAccount> {
    const begun = await oneTimeTokens.peek(db, 'second_step', challenge);
    // Before the challenge is taken: another password takes it away, or is seen when the login is opened.
    const account = begun && (await users.find(begun.userId));
    if (!account) throw stale();
    const userId = account.id;
    if (passkey) {
      if (!(await isPasskeyOf(userId, passkey, 'second_step')))
        throw new Failure('unauthenticated', 'this passkey is not good here');
    } else if (code !== undefined) {
      const key = await limitCodes(userId, (await trustedDevices.find(userId, device.key)) ?? 'elsewhere');
      if (!(await factors.useCode(userId, code))) throw new Failure('unauthenticated', 'wrong code');
      await counters.forget(key);
    } else throw new Failure('invalid', 'a code or a passkey is needed');
    if (!(await oneTimeTokens.redeem(db, 'second_step', challenge))) throw stale();
    return account;
  }

  async function isPasskeyOf(userId: string, answer: PasskeyAnswer, use: 'second_step' | 'step_up'): Promise<boolean> {
    try {
      return (await passkeys.finishProof(use, answer)).id === userId;
    } catch (error) {
      // What the refusal means is the caller's to say: a login goes on that a step up is asked in.
      if (error instanceof Failure && error.code === 'unauthenticated') return false;
      throw error;
    }
  }

  async function isProved(caller: Caller & { sessionId: string }, proof: Proof): Promise<boolean> {
    const { userId, sessionId } = caller;
    if (proof.passkey) return isPasskeyOf(userId, proof.passkey, 'step_up');
    if (proof.code !== undefined) {
      const key = await limitCodes(userId, `session ${sessionId}`);
      const right = (await factors.useCode(userId, proof.code)) !== undefined;
      if (right) await counters.forget(key);
      return right;
    }
    if (proof.password === undefined) throw new Failure('invalid', 'a password, a code or a passkey is needed');
    // Somebody who asks for a second step at the door asks for it inside as well.
    if ((await factors.methodsOf(userId)).length > 0) throw await stepUpRequired(userId);
    const key = `password ${userId} ${sessionId}`;
    await requireRate(counters, key, { max: codesMax, windowMs }, 'too many wrong passwords');
    const right = await passwords.verify((await users.find(userId))?.passwordHash, proof.password);
    if (right) await counters.forget(key);
    return right;
  }

  async function stepUpRequired(userId: string): Promise<Failure> {
    const methods = await factors.methodsOf(userId);
    const hasPassword = ((await users.find(userId))?.passwordHash ?? null) !== null;
    return new Failure('step_up_required', 'prove again that it is you, or log in anew', {
      details: { methods: methods.length > 0 ? methods : hasPassword ? ['password'] : [] },
    });
  }

  function requireLogin(caller: Caller): asserts caller is Caller & { sessionId: string } {
    if (caller.sessionId === undefined)
      throw new Failure('forbidden', 'this account is looked after by the application that you come from');
  }

  return {
    isAskedOf: async (userId) => (await factors.methodsOf(userId)).length > 0,
    requireNone: async (user) => {
      const methods = await factors.methodsOf(user.id);
      if (methods.length === 0) return;
      const challenge = await db.transaction(async (tx) => {
        const { passwordHash } = await lockAccount(tx, user.id, 'no key update');
        if (passwordHash !== user.passwordHash) throw stale();
        return oneTimeTokens.issue(tx, 'second_step', user.id, {}, challengeLifetimeMs);
      });
      throw new Failure('second_factor_required', 'the second step of this login is to be taken', {
        details: { challenge, methods, expiresIn: challengeLifetimeMs / 1000 },
      });
    },
    finish,
    beginByPasskey: async (challenge) => {
      const begun = await oneTimeTokens.peek(db, 'second_step', challenge);
      if (!begun) throw stale();
      return passkeys.beginProof('second_step', begun.userId);
    },
    requireFresh: async (caller) => {
      requireLogin(caller);
      if (!(await sessions.isFresh(caller.sessionId, stepUpLifetimeMs))) throw await stepUpRequired(caller.userId);
    },
    stepUp: async (caller, proof) => {
      requireLogin(caller);
      if (!(await isProved(caller, proof))) throw new Failure('forbidden', 'that does not prove who you are');
      await sessions.markAuthenticated(caller.sessionId);
    },
  };
}
