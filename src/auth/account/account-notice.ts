/** Mails that tell the owner of an account what has changed in it, so that a change by somebody else is noticed. */
import type { Transaction } from '../../database/connect.ts';
import type { UserRow } from '../../user/user-repository.ts';
import type { AccountMailKind, OweAccountMail } from '../login/login-service.ts';

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
