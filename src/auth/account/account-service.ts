/** An account's password and address: by mailed links for whoever lost them, and by their owner. */
import { and, eq, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure, type InputPath, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import { requireDeployment } from '../../permissions.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import type { AddressProof, UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { requireEmail } from '../../user/profile/user-text.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { type Passwords, requirePassword } from '../credentials/passwords.ts';
import type { MfaChallenge } from '../mfa/mfa-challenge.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import { createMailedLinks } from './mailed-links.ts';
import { removePreHijackAccess } from './pre-hijack-cleanup.ts';

export interface AccountSettings {
  /** Verified addresses whose accounts are deployment admins, lower case. */
  readonly admins: ReadonlySet<string>;
  /** Wrong passwords in a quarter hour. */
  readonly guessesMax: number;
}

export interface AccountService {
  /**
   * Redeems the link of a verification or of a change of address. Only in a login of the same account does it also show
   * that one person holds both, for anybody may sign up with somebody else's address and wait for the click.
   * @param shown.caller the login that the link is redeemed in, of whatever account
   * @param shown.addressOnly whoever redeems it followed a link and need not know the account: what an address brings
   *   with it (`admins`) is not given then, nor in another account's login
   * @throws Failure `invalid` for a stale one
   */
  readonly verifyEmail: (
    token: string,
    shown?: { readonly caller?: Caller | undefined; readonly addressOnly?: boolean },
  ) => Promise<void>;
  /** Takes as long whether there is such an account or not. */
  readonly forgotPassword: (email: string) => Promise<void>;
  /**
   * Ends every login, and proves the address. When it shows for the first time that one person holds account and address,
   * whatever else was a way in ends as well (pre-hijack-cleanup.ts).
   * @throws Failure `invalid` for a stale link or a password that may not be
   */
  readonly resetPassword: (token: string, password: string) => Promise<void>;
  /** Ends every login but the caller's. @throws Failure `invalid`, `step_up_required`, `rate_limited` */
  readonly changePassword: (
    caller: Caller,
    passwords: { readonly currentPassword?: string; readonly newPassword: string },
  ) => Promise<void>;
  /** Mails a link to the new address, which counts once it was followed. @throws as `changePassword` */
  readonly changeEmail: (
    caller: Caller,
    change: { readonly email: string; readonly password?: string },
  ) => Promise<void>;
  /** Mails the link of the present address again, as long as its confirmation brings anything. */
  readonly resendVerification: (caller: Caller) => Promise<void>;
}

const windowMs = 15 * 60_000;

export function createAccountService({
  db,
  users: repository,
  passwords,
  sessions,
  oneTimeTokens,
  trustedDevices,
  mfaChallenge,
  counters,
  oweMail,
  announceRevocation,
  settings,
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  oneTimeTokens: OneTimeTokens;
  trustedDevices: TrustedDevices;
  mfaChallenge: MfaChallenge;
  counters: RateCounters;
  oweMail: OweAccountMail;
  /** Resolves when this instance knows what ended; the others are told. */
  announceRevocation: () => Promise<void>;
  settings: AccountSettings;
}): AccountService {
  const links = createMailedLinks(db, oneTimeTokens);
  const staleLink = () =>
    new Failure('invalid', 'this link is no longer good', {
      errors: [{ path: '/token', message: 'is no longer good' }],
    });

  async function requireAccount(caller: Caller): Promise<UserRow> {
    requireDeployment(caller, 'secure_account');
    const user = await repository.find(caller.userId);
    if (!user) throw new Failure('unauthenticated', 'the account is gone');
    return user;
  }

  /** Counted for this login: whoever holds a stolen token cannot use up the owner's attempts. */
  async function requireOwnPassword(caller: Caller, user: UserRow, password: string, path: InputPath): Promise<void> {
    const key = `password ${user.id} ${caller.sessionId ?? ''}`;
    await requireRate(counters, key, { max: settings.guessesMax, windowMs }, 'too many wrong passwords');
    if (!(await passwords.verify(user.passwordHash, password))) throw invalid(path, 'is not your password');
    await counters.forget(key);
  }

  /** What an old password or address had set going ends with it. */
  async function endOldWays(tx: Transaction, userId: string): Promise<void> {
    await oneTimeTokens.withdraw(tx, 'reset_password', userId);
    await oneTimeTokens.withdraw(tx, 'second_step', userId);
    await withdrawChangeOfEmail(tx, userId);
  }

  async function withdrawChangeOfEmail(tx: Transaction, userId: string): Promise<void> {
    await oneTimeTokens.withdraw(tx, 'change_email', userId);
    await tx.execute(sql`update mails set state = 'cancelled', finished_at = now()
      where user_id = ${userId} and kind = 'account' and template = 'change_email' and state = 'owed'`);
  }

  const isAdminAddress = ({ email }: Pick<UserRow, 'email'>) =>
    email !== null && settings.admins.has(email.toLowerCase());

  async function verifyEmail(
    token: string,
    { caller, addressOnly = false }: { readonly caller?: Caller | undefined; readonly addressOnly?: boolean } = {},
  ): Promise<void> {
    await db.transaction(async (tx) => {
      const verification = await links.redeem(tx, 'verify_email', token);
      const redeemed = verification ?? (await links.redeem(tx, 'change_email', token));
      if (!redeemed) throw staleLink();
      const { userId } = redeemed;
      const inside = caller?.userId === userId && caller.sessionId !== undefined;
      const proof = { email: String(redeemed.data.email), inside };
      // The account may have another address by now, and the address another owner.
      if (verification) {
        if (!(await repository.verifyEmail(tx, userId, proof))) throw staleLink();
      } else await takeNewAddress(tx, userId, proof);
      const meant = inside || (caller === undefined && !addressOnly);
      if (meant && isAdminAddress(proof)) await repository.update(tx, userId, { role: 'admin' });
    });
  }

  async function takeNewAddress(tx: Transaction, userId: string, proof: AddressProof): Promise<void> {
    const changed = await repository.changeEmail(tx, userId, proof);
    if (!changed) throw staleLink();
    await endOldWays(tx, userId);
    await oneTimeTokens.withdraw(tx, 'verify_email', userId);
    // The new address has refused nothing yet.
    await tx.execute(sql`delete from mail_suppressions where user_id = ${userId} and reason = 'bounced'`);
    if (changed.wasVerified) await oweMail(tx, { userId, to: changed.oldEmail, kind: 'email_changed' });
  }

  async function forgotPassword(email: string): Promise<void> {
    const user = await repository.findByLogin(requireEmail(email));
    // A mail to nobody costs the same statements and the same commit; it is dropped when it is to be sent.
    await db.transaction((tx) => oweMail(tx, { userId: user?.id ?? uuidv7(), to: user?.email ?? null, kind: 'reset' }));
  }

  async function resetPassword(token: string, password: string): Promise<void> {
    await requirePassword(password);
    // A stale link is not worth a hash.
    if (!(await links.isGood('reset_password', token))) throw staleLink();
    const passwordHash = await passwords.hash(password);
    await db.transaction(async (tx) => {
      const redeemed = await links.redeem(tx, 'reset_password', token);
      if (!redeemed) throw staleLink();
      const { userId } = redeemed;
      // The account may have another address by now, and the address another owner.
      const before = await repository.verifyEmail(tx, userId, { email: String(redeemed.data.email), inside: true });
      if (!before) throw staleLink();
      await repository.update(tx, userId, { passwordHash });
      await endOldWays(tx, userId);
      await sessions.revokeAll(tx, userId);
      await trustedDevices.forgetAll(tx, userId);
      const isFirstProof = before.emailVerifiedAt === null || before.confirmedOutside;
      if (isFirstProof) await removePreHijackAccess(tx, { userId, provedAt: before.emailVerifiedAt });
      await oweMail(tx, { userId, to: before.email, kind: isFirstProof ? 'account_claimed' : 'password_changed' });
    });
    await announceRevocation();
  }

  async function changePassword(
    caller: Caller,
    { currentPassword, newPassword }: { readonly currentPassword?: string; readonly newPassword: string },
  ): Promise<void> {
    const user = await requireAccount(caller);
    await requirePassword(newPassword, '/newPassword');
    if (user.passwordHash === null) await mfaChallenge.requireFresh(caller);
    else if (currentPassword === undefined) throw invalid('/currentPassword', 'is missing');
    else await requireOwnPassword(caller, user, currentPassword, '/currentPassword');
    const passwordHash = await passwords.hash(newPassword);
    await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      const changed = await tx
        .update(users)
        .set({ passwordHash })
        .where(and(eq(users.id, user.id), sql`${users.passwordHash} is not distinct from ${user.passwordHash}`))
        .returning({ id: users.id });
      if (changed.length === 0) throw new Failure('conflict', 'the password was changed meanwhile');
      await endOldWays(tx, user.id);
      await sessions.revokeAll(tx, user.id, caller.sessionId);
      if (user.emailVerifiedAt !== null)
        await oweMail(tx, { userId: user.id, to: user.email, kind: 'password_changed' });
    });
    await announceRevocation();
  }

  async function changeEmail(
    caller: Caller,
    { email, password }: { readonly email: string; readonly password?: string },
  ): Promise<void> {
    const address = requireEmail(email);
    const user = await requireAccount(caller);
    // Whoever asks for a second step at the door is asked for it here as well.
    const bySecondStep = user.passwordHash === null || (await mfaChallenge.isAskedOf(user.id));
    if (password === undefined || bySecondStep) await mfaChallenge.requireFresh(caller);
    else await requireOwnPassword(caller, user, password, '/password');
    const owner = await repository.findVerifiedOwner(address);
    const own = user.email?.toLowerCase() === address.toLowerCase();
    await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      // The last wish counts.
      await withdrawChangeOfEmail(tx, user.id);
      await oweMail(
        tx,
        owner && owner.id !== user.id
          ? { userId: owner.id, to: address, kind: 'already_registered' }
          : { userId: user.id, to: address, kind: own ? 'verify' : 'change_email' },
      );
    });
  }

  return {
    verifyEmail,
    forgotPassword,
    resetPassword,
    changePassword,
    changeEmail,
    resendVerification: async (caller) => {
      const user = await requireAccount(caller);
      if (user.email === null) return;
      const isVerified = user.emailVerifiedAt !== null;
      if (isVerified && !user.confirmedOutside && (user.role === 'admin' || !isAdminAddress(user))) return;
      const kind = isVerified ? 'verify_again' : 'verify';
      await db.transaction((tx) => oweMail(tx, { userId: user.id, to: user.email, kind }));
    },
  };
}
