/** Mails that tell the owner of an account what has changed in it, so that a change by somebody else is noticed. */
import type { Transaction } from '../../database/connect.ts';
import type { UserRow } from './user-repository.ts';

/** Mails about an account: links to follow, and notices of what has changed. */
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

/** Owes one in the transaction that causes it; `to` nobody: the same work, and no mail. */
export type OweAccountMail = (
  tx: Transaction,
  mail: { userId: string; to: string | null; kind: AccountMailKind },
) => Promise<void>;

export type AccountNotice = Extract<
  AccountMailKind,
  'factor_added' | 'factor_removed' | 'identity_linked' | 'identity_unlinked'
>;

/** Owes the notice where an address is proved; elsewhere there is nobody who could be told. */
export async function oweNotice(
  tx: Transaction,
  user: UserRow | undefined,
  { oweMail, kind }: { oweMail: OweAccountMail; kind: AccountNotice },
): Promise<void> {
  if (user && user.emailVerifiedAt !== null) await oweMail(tx, { userId: user.id, to: user.email, kind });
}
