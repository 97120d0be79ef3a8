/** Unfinished changes that a new password or a new address must cancel, since the old ones started them. */
import { sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';

export interface PendingChanges {
  /** Cancels reset links, logins that wait for their second step, and a change of address. */
  readonly cancelAll: (tx: Transaction, userId: string) => Promise<void>;
  /** Cancels a change of address and the mail with its link, if that was not sent yet. */
  readonly cancelEmailChange: (tx: Transaction, userId: string) => Promise<void>;
}

export function createPendingChanges(oneTimeTokens: Pick<OneTimeTokens, 'withdraw'>): PendingChanges {
  async function cancelEmailChange(tx: Transaction, userId: string): Promise<void> {
    await oneTimeTokens.withdraw(tx, 'change_email', userId);
    await tx.execute(sql`update mails set state = 'cancelled', finished_at = now()
      where user_id = ${userId} and kind = 'account' and template = 'change_email' and state = 'owed'`);
  }

  async function cancelAll(tx: Transaction, userId: string): Promise<void> {
    await oneTimeTokens.withdraw(tx, 'reset_password', userId);
    await oneTimeTokens.withdraw(tx, 'second_step', userId);
    await cancelEmailChange(tx, userId);
  }

  return { cancelAll, cancelEmailChange };
}
