/**
 * The second step of a login. For an account with second factors, a right password is answered with
 * `second_factor_required` and a challenge; a code or a passkey for that challenge finishes the login.
 */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import type { ProvedAccount } from '../sessions/session-opener.ts';
import type { Device } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import type { FactorProofs, Proof } from './factor-proofs.ts';
import type { MfaFactors } from './mfa-factors.ts';
import type { Ceremony, Passkeys } from './passkeys.ts';

export interface MfaChallenge {
  /** @throws Failure `second_factor_required` with a challenge if the account has second factors */
  readonly requireNone: (user: UserRow) => Promise<void>;
  /** @returns the account to open a session for. @throws Failure `unauthenticated`, `rate_limited`, `invalid` without a proof */
  readonly finish: (challenge: string, proof: Proof, device: Device) => Promise<ProvedAccount>;
  /** @throws Failure `unauthenticated` for an unknown challenge */
  readonly beginByPasskey: (challenge: string) => Promise<Ceremony<unknown>>;
}

const challengeLifetimeMs = 10 * 60_000;

export function createMfaChallenge({
  db,
  users,
  factors,
  proofs,
  passkeys,
  oneTimeTokens,
  trustedDevices,
}: {
  db: Database;
  users: UserRepository;
  factors: MfaFactors;
  proofs: FactorProofs;
  passkeys: Passkeys;
  oneTimeTokens: OneTimeTokens;
  trustedDevices: TrustedDevices;
}): MfaChallenge {
  async function requireNone(user: UserRow): Promise<void> {
    const methods = await factors.methodsOf(user.id);
    if (methods.length === 0) return;
    const challenge = await db.transaction(async (tx) => {
      const { passwordHash } = await lockAccount(tx, user.id, 'no key update');
      if (passwordHash !== user.passwordHash) throw staleChallenge();
      return oneTimeTokens.issue(tx, 'second_step', user.id, {}, challengeLifetimeMs);
    });
    throw new Failure('second_factor_required', 'this login needs a second factor', {
      details: { challenge, methods, expiresIn: challengeLifetimeMs / 1000 },
    });
  }

  async function finish(challenge: string, proof: Proof, device: Device): Promise<ProvedAccount> {
    const begun = await oneTimeTokens.peek(db, 'second_step', challenge);
    // Read before the challenge is redeemed: a password change deletes the challenge, or the session opener sees it.
    const account = begun && (await users.find(begun.userId));
    if (!account) throw staleChallenge();
    await requireFactor(account.id, proof, device);
    if (!(await oneTimeTokens.redeem(db, 'second_step', challenge))) throw staleChallenge();
    return account;
  }

  /** Strangers share one allowance of wrong codes per account; each trusted device has its own. */
  async function requireFactor(userId: string, { code, passkey }: Proof, device: Device): Promise<void> {
    if (passkey) {
      if (!(await proofs.isPasskey(userId, passkey, 'second_step')))
        throw new Failure('unauthenticated', 'this passkey is not valid here');
    } else if (code !== undefined) {
      const place = (await trustedDevices.find(userId, device.key)) ?? 'elsewhere';
      if (!(await proofs.useCode(userId, code, place))) throw new Failure('unauthenticated', 'wrong code');
    } else throw new Failure('invalid', 'a code or a passkey is needed');
  }

  async function beginByPasskey(challenge: string): Promise<Ceremony<unknown>> {
    const begun = await oneTimeTokens.peek(db, 'second_step', challenge);
    if (!begun) throw staleChallenge();
    return passkeys.beginProof('second_step', begun.userId);
  }

  return { requireNone, finish, beginByPasskey };
}

function staleChallenge(): Failure {
  return new Failure('unauthenticated', 'this login was not begun here, or too long ago: log in again');
}
