/**
 * Mails about an account. What is owed names a template and an address, never a token: a link's token is made when
 * its mail is claimed and goes into the mail and, hashed, into one_time_tokens; the queue never sees it.
 */
import { sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../database/connect.ts';
import { addJob } from '../database/queue.ts';
import { mails } from '../database/tables.ts';

export type AccountTemplate = 'verify' | 'reset' | 'already_registered';

export interface AccountMail {
  readonly userId: string;
  /** One bare address; checked where it came in. */
  readonly to: string;
  readonly kind: AccountTemplate;
}

/** Owes a mail in the transaction that causes it: if that commits the mail is sent, if not it never was. */
export async function oweAccountMail(tx: Transaction, { userId, to, kind }: AccountMail): Promise<void> {
  const mailId = uuidv7();
  await tx
    .insert(mails)
    .values({ id: mailId, userId, kind: 'account', template: kind, recipient: to, state: 'owed', dueAt: sql`now()` });
  await addJob(tx, 'account_mail', { mailId }, { key: `mail:${mailId}` });
}
