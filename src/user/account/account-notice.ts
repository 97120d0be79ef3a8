/** Mails that notify the owner of changes to the account, so that a change by somebody else is noticed. */
import type { Transaction } from '../../database/connect.ts';
import type { UserRow } from './user-repository.ts';

/** Kinds of mails about an account: links and notices. */
export type AccountMailKind =
  | 'verify'
  | 'verify_again'
  | 'reset'
  | 'already_registered'
  | 'change_email'
  | 'email_changed'
  | 'password_changed'
  | 'account_claimed'
  | 'factor_added'
  | 'factor_removed'
  | 'identity_linked'
  | 'identity_unlinked';

/** Queues a mail in the transaction that causes it. With `to: null` it does the same work and sends nothing. */
export type OweAccountMail = (
  tx: Transaction,
  mail: { userId: string; to: string | null; kind: AccountMailKind },
) => Promise<void>;

export type AccountNotice = Extract<
  AccountMailKind,
  'factor_added' | 'factor_removed' | 'identity_linked' | 'identity_unlinked'
>;

/** Queues a notice, if the account has a verified address. */
export async function oweNotice(
  tx: Transaction,
  user: UserRow | undefined,
  { oweMail, kind }: { oweMail: OweAccountMail; kind: AccountNotice },
): Promise<void> {
  if (user && user.emailVerifiedAt !== null) await oweMail(tx, { userId: user.id, to: user.email, kind });
}
