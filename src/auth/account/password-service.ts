/** The password of an account: resetting a forgotten one by a mailed link, and changing it. */
import { and, eq, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { users as usersTable } from '../../database/tables/user-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import { requireOwnAccount } from '../../user/account/own-account.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { requireKnownEmail } from '../../user/account/user-text.ts';
import { isOwnPassword } from '../credentials/password-check.ts';
import { type Passwords, requirePassword } from '../credentials/passwords.ts';
import type { StepUp } from '../mfa/step-up.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import { type MailedLinks, staleLink } from './mailed-links.ts';
import type { PendingChanges } from './pending-changes.ts';
import { removePreHijackAccess } from './pre-hijack-cleanup.ts';

export interface PasswordService {
  /** Mails a reset link. Takes the same time whether the account exists or not. @throws Failure `invalid` */
  readonly forgot: (email: string) => Promise<void>;
  /**
   * Sets a new password, verifies the address and ends every session. If this is the first proof that one person owns
   * both account and address, it also removes all other access to the account (pre-hijack-cleanup.ts).
   * @throws Failure `invalid` for a stale link or an unacceptable password
   */
  readonly reset: (token: string, password: string) => Promise<void>;
  /** Ends every session but the caller's. @throws Failure `invalid`, `step_up_required`, `rate_limited`, `conflict`, `forbidden` */
  readonly change: (
    caller: Caller,
    passwords: { readonly currentPassword?: string; readonly newPassword: string },
  ) => Promise<void>;
}

export function createPasswordService({
  db,
  users,
  passwords,
  sessions,
  trustedDevices,
  links,
  pendingChanges,
  stepUp,
  counters,
  oweMail,
  announceRevocation,
  settings: { failuresMax },
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  trustedDevices: TrustedDevices;
  links: MailedLinks;
  pendingChanges: PendingChanges;
  stepUp: Pick<StepUp, 'requireFresh'>;
  counters: RateCounters;
  oweMail: OweAccountMail;
  /** Resolves when this instance refuses what was ended; the others get a hint. */
  announceRevocation: () => Promise<void>;
  /** Wrong passwords in a quarter hour. */
  settings: { readonly failuresMax: number };
}): PasswordService {
  async function forgot(email: string): Promise<void> {
    const user = await users.findByLogin(requireKnownEmail(email));
    // Without an account, a mail to nobody is owed: it costs the same statements and is dropped before sending.
    await db.transaction((tx) => oweMail(tx, { userId: user?.id ?? uuidv7(), to: user?.email ?? null, kind: 'reset' }));
  }

  async function reset(token: string, password: string): Promise<void> {
    await requirePassword(password);
    // Checked before hashing, which is expensive.
    if (!(await links.isGood('reset_password', token))) throw staleLink();
    const passwordHash = await passwords.hash(password);
    await db.transaction((tx) => resetIn(tx, token, passwordHash));
    await announceRevocation();
  }

  async function resetIn(tx: Transaction, token: string, passwordHash: string): Promise<void> {
    const redeemed = await links.redeem(tx, 'reset_password', token);
    if (!redeemed) throw staleLink();
    const { userId } = redeemed;
    // Since the mail was sent, the account may have got another address and the address another owner.
    const before = await users.verifyEmail(tx, userId, { email: String(redeemed.data.email), inside: true });
    if (!before) throw staleLink();
    await users.update(tx, userId, { passwordHash });
    await pendingChanges.cancelAll(tx, userId);
    await sessions.revokeAll(tx, userId);
    await trustedDevices.forgetAll(tx, userId);
    const isFirstProof = before.emailVerifiedAt === null || before.confirmedOutside;
    if (isFirstProof) await removePreHijackAccess(tx, before);
    await oweMail(tx, { userId, to: before.email, kind: isFirstProof ? 'account_claimed' : 'password_changed' });
  }

  const change: PasswordService['change'] = async (caller, { currentPassword, newPassword }) => {
    const user = await requireOwnAccount(users, caller);
    await requirePassword(newPassword, '/newPassword');
    await requireProof(caller, user, currentPassword);
    const passwordHash = await passwords.hash(newPassword);
    await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      const changed = await tx
        .update(usersTable)
        .set({ passwordHash })
        .where(
          and(eq(usersTable.id, user.id), sql`${usersTable.passwordHash} is not distinct from ${user.passwordHash}`),
        )
        .returning({ id: usersTable.id });
      if (changed.length === 0) throw new Failure('conflict', 'the password was changed by another request');
      await pendingChanges.cancelAll(tx, user.id);
      await sessions.revokeAll(tx, user.id, caller.sessionId);
      if (user.emailVerifiedAt !== null)
        await oweMail(tx, { userId: user.id, to: user.email, kind: 'password_changed' });
    });
    await announceRevocation();
  };

  async function requireProof(caller: Caller, user: UserRow, password: string | undefined): Promise<void> {
    if (user.passwordHash === null) return stepUp.requireFresh(caller);
    if (password === undefined) throw invalid('/currentPassword', 'is missing');
    const check = { caller, passwordHash: user.passwordHash, password };
    if (!(await isOwnPassword(check, { passwords, counters, failuresMax })))
      throw invalid('/currentPassword', 'is not your password');
  }

  return { forgot, reset, change };
}
