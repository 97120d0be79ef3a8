/**
 * Mails about an account. What is owed names a template and an address, never a token: a link's token is made when
 * its mail is claimed and goes into the mail and, hashed, into one_time_tokens; the queue never sees it.
 */
import { sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../database/connect.ts';
import { addJob } from '../database/queue.ts';
import { mails } from '../database/tables.ts';
import type { Prepare } from './mail-delivery.ts';
import { writeAccount } from './mail-text.ts';

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

/** Makes a one-time token that is kept only as a hash. @see auth/one-time-tokens.ts */
export type IssueToken = (
  tx: Transaction,
  purpose: 'verify_email' | 'reset_password',
  userId: string,
  data: Record<string, unknown>,
  lifetimeMs: number,
) => Promise<string>;

export interface AccountMailSettings {
  readonly publicUrl: string;
  /** Domain of Message-IDs. */
  readonly domain: string;
  readonly tokenLifetimeMs: number;
  /** Account mails to one address in an hour; more are dropped, whoever asks for them. */
  readonly perHourMax: number;
}

/** Account mails as of their claim: is there still somebody whom this is for, at this address? */
export function prepareAccountMail({
  issueToken,
  settings,
}: {
  issueToken: IssueToken;
  settings: AccountMailSettings;
}): Prepare {
  return async (tx, { id, userId, template, recipient }) => {
    if (!template || recipient === null) return { kind: 'cancel' };
    const [user] = await tx.execute<{ displayName: string; verified: boolean; lately: number }>(sql`
      select u.display_name as "displayName", u.email_verified_at is not null as verified,
        (select count(*)::int from mails m where m.kind = 'account' and m.user_id = u.id and lower(m.recipient) = lower(u.email)
          and m.state in ('sent', 'maybe_sent') and m.finished_at > now() - interval '1 hour') as lately
      from users u where u.id = ${userId} and u.erased_at is null and lower(u.email) = lower(${recipient})`);
    const wanted = user && user.lately < settings.perHourMax && (template !== 'verify' || !user.verified);
    if (!wanted) return { kind: 'cancel' };
    const { publicUrl, domain, tokenLifetimeMs } = settings;
    const url = async (): Promise<string | undefined> => {
      if (template === 'already_registered') return undefined;
      const purpose = template === 'verify' ? 'verify_email' : 'reset_password';
      const token = await issueToken(tx, purpose, userId, { email: recipient }, tokenLifetimeMs);
      return `${publicUrl}/#/${template === 'verify' ? 'verify-email' : 'reset-password'}?token=${token}`;
    };
    const written = writeAccount(template, { displayName: user.displayName, url: await url(), publicUrl });
    return {
      kind: 'mail',
      mail: { ...written, messageId: `<${id}@${domain}>`, to: recipient, headers: {} },
      claim: { covers: [], unsubscribeHash: null },
    };
  };
}
