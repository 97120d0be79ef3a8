/** The e-mail address of an account: verifying it and changing it. */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import type { AddressProof } from '../../user/account/address-repository.ts';
import { requireOwnAccount } from '../../user/account/own-account.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { requireEmail } from '../../user/account/user-text.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { isOwnPassword } from '../credentials/password-check.ts';
import type { Passwords } from '../credentials/passwords.ts';
import type { MfaFactors } from '../mfa/mfa-factors.ts';
import type { StepUp } from '../mfa/step-up.ts';
import { lockSession } from '../sessions/session-lock.ts';
import { type MailedLinks, staleLink } from './mailed-links.ts';
import type { PendingChanges } from './pending-changes.ts';

export interface AddressSettings {
  /** Verified addresses whose accounts are deployment admins, lower case. */
  readonly admins: ReadonlySet<string>;
  /** Wrong passwords in a quarter hour. */
  readonly failuresMax: number;
}

export interface AddressService {
  /**
   * Redeems the link of a verification or of a change of address. Only in a session of the same account does it also
   * prove that one person owns both: anybody can sign up with somebody else's address and wait for them to click.
   * @param shown.caller the login that came with the request, of any account
   * @param shown.addressOnly the person who followed the link may not own the account. The rights that come with the
   *   address (`admins`) are not granted then, nor in a session of another account
   * @throws Failure `invalid` for a stale link
   */
  readonly verifyEmail: (
    token: string,
    shown?: { readonly caller?: Caller | undefined; readonly addressOnly?: boolean },
  ) => Promise<void>;
  /**
   * Mails a link to the new address, which takes effect when the link is followed.
   * @throws Failure `invalid`, `step_up_required`, `rate_limited`, `forbidden`
   */
  readonly changeEmail: (
    caller: Caller,
    change: { readonly email: string; readonly password?: string },
  ) => Promise<void>;
  /** Mails the link for the present address again, if its verification would change anything. */
  readonly resendVerification: (caller: Caller) => Promise<void>;
}

export function createAddressService({
  db,
  users,
  passwords,
  oneTimeTokens,
  links,
  pendingChanges,
  factors,
  stepUp,
  counters,
  oweMail,
  settings: { admins, failuresMax },
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  oneTimeTokens: OneTimeTokens;
  links: MailedLinks;
  pendingChanges: PendingChanges;
  factors: Pick<MfaFactors, 'isEnabled'>;
  stepUp: Pick<StepUp, 'requireFresh'>;
  counters: RateCounters;
  oweMail: OweAccountMail;
  settings: AddressSettings;
}): AddressService {
  const isAdminAddress = ({ email }: Pick<UserRow, 'email'>) => email !== null && admins.has(email.toLowerCase());

  const verifyEmail: AddressService['verifyEmail'] = async (token, { caller, addressOnly = false } = {}) => {
    await db.transaction(async (tx) => {
      const verification = await links.redeem(tx, 'verify_email', token);
      const redeemed = verification ?? (await links.redeem(tx, 'change_email', token));
      if (!redeemed) throw staleLink();
      const { userId } = redeemed;
      const inside = caller?.userId === userId && caller.sessionId !== undefined;
      const proof = { email: String(redeemed.data.email), inside };
      if (verification) await verifyPresentAddress(tx, userId, proof);
      else await takeNewAddress(tx, userId, proof);
      const grantsRights = inside || (caller === undefined && !addressOnly);
      if (grantsRights && isAdminAddress(proof)) await users.update(tx, userId, { role: 'admin' });
    });
  };

  /** Since the mail was sent, the account may have got another address and the address another owner: refused then. */
  async function verifyPresentAddress(tx: Transaction, userId: string, proof: AddressProof): Promise<void> {
    if (!(await users.verifyEmail(tx, userId, proof))) throw staleLink();
  }

  async function takeNewAddress(tx: Transaction, userId: string, proof: AddressProof): Promise<void> {
    const changed = await users.changeEmail(tx, userId, proof);
    if (!changed) throw staleLink();
    await pendingChanges.cancelAll(tx, userId);
    await oneTimeTokens.withdraw(tx, 'verify_email', userId);
    // The suppression belongs to the old address, which bounced.
    await tx.execute(sql`delete from mail_suppressions where user_id = ${userId} and reason = 'bounced'`);
    if (changed.wasVerified) await oweMail(tx, { userId, to: changed.oldEmail, kind: 'email_changed' });
  }

  const changeEmail: AddressService['changeEmail'] = async (caller, { email, password }) => {
    const address = requireEmail(email);
    const user = await requireOwnAccount(users, caller);
    await requireProof(caller, user, password);
    const owner = await users.findVerifiedOwner(address);
    const isPresent = user.email?.toLowerCase() === address.toLowerCase();
    await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      // Only the newest request counts.
      await pendingChanges.cancelEmailChange(tx, user.id);
      await oweMail(
        tx,
        owner && owner.id !== user.id
          ? { userId: owner.id, to: address, kind: 'already_registered' }
          : { userId: user.id, to: address, kind: isPresent ? 'verify' : 'change_email' },
      );
    });
  };

  /** A password alone is not enough for an account with second factors, as at a login. */
  async function requireProof(caller: Caller, user: UserRow, password: string | undefined): Promise<void> {
    const needsStepUp = user.passwordHash === null || (await factors.isEnabled(user.id));
    if (password === undefined || needsStepUp) return stepUp.requireFresh(caller);
    const check = { caller, passwordHash: user.passwordHash, password };
    if (!(await isOwnPassword(check, { passwords, counters, failuresMax })))
      throw invalid('/password', 'is not your password');
  }

  async function resendVerification(caller: Caller): Promise<void> {
    const user = await requireOwnAccount(users, caller);
    if (user.email === null) return;
    const isVerified = user.emailVerifiedAt !== null;
    if (isVerified && !user.confirmedOutside && (user.role === 'admin' || !isAdminAddress(user))) return;
    const kind = isVerified ? 'verify_again' : 'verify';
    await db.transaction((tx) => oweMail(tx, { userId: user.id, to: user.email, kind }));
  }

  return { verifyEmail, changeEmail, resendVerification };
}
