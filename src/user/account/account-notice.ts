/** Mails that notify the owner of changes to the account, so that a change by somebody else is noticed. */
import type { Transaction } from '../../database/connect.ts';
import type { AccountMailKind } from '../../database/tables/mail-tables.ts';
import type { UserRow } from './user-repository.ts';

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
