/**
 * Mails about an account. An owed mail names a template and an address, never a token. The token of a link is created when
 * the mail is claimed. It goes into the mail and, hashed, into one_time_tokens, but never into the queue.
 */
import { sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../../database/connect.ts';
import { addJob } from '../../database/queue.ts';
import { mails } from '../../database/tables/mail-tables.ts';
import type { Prepare } from './mail-delivery.ts';
import { writeAccount } from './mail-text.ts';

/** Templates with a single-use link, and the purpose of the link. */
const links = {
  verify: { purpose: 'verify_email', page: 'verify-email' },
  verify_again: { purpose: 'verify_email', page: 'verify-email' },
  change_email: { purpose: 'change_email', page: 'verify-email' },
  reset: { purpose: 'reset_password', page: 'reset-password' },
} as const;

export type AccountTemplate =
  | keyof typeof links
  | 'already_registered'
  | 'email_changed'
  | 'password_changed'
  | 'account_claimed'
  | 'factor_added'
  | 'factor_removed'
  | 'identity_linked'
  | 'identity_unlinked';

/** What goes to another address than the account's: the one that it may get, and the one that it had. */
const toOtherAddress: ReadonlySet<AccountTemplate> = new Set(['change_email', 'email_changed']);

export interface AccountMail {
  readonly userId: string;
  /** One bare, validated address. With null the mail takes the same time and is dropped. */
  readonly to: string | null;
  readonly kind: AccountTemplate;
}

/** Owes a mail in the transaction that causes it: the mail is sent if and only if that commits. */
export async function oweAccountMail(tx: Transaction, { userId, to, kind }: AccountMail): Promise<void> {
  const mailId = uuidv7();
  await tx
    .insert(mails)
    .values({ id: mailId, userId, kind: 'account', template: kind, recipient: to, state: 'owed', dueAt: sql`now()` });
  await addJob(tx, 'account_mail', { mailId }, { key: `mail:${mailId}` });
}

/** Creates a one-time token, of which only the hash is stored. @see auth/credentials/one-time-tokens.ts */
export type IssueToken = (
  tx: Transaction,
  purpose: (typeof links)[keyof typeof links]['purpose'],
  userId: string,
  data: Record<string, unknown>,
  lifetimeMs: number,
) => Promise<string>;

export interface AccountMailSettings {
  readonly publicUrl: string;
  /** Domain of Message-IDs. */
  readonly domain: string;
  readonly tokenLifetimeMs: number;
  /** Mails of one kind per hour and address; more are dropped. */
  readonly perHourMax: number;
}

/** Prepares an account mail at its claim: cancels it if the account or the address has changed. */
export function prepareAccountMail({
  issueToken,
  settings,
}: {
  issueToken: IssueToken;
  settings: AccountMailSettings;
}): Prepare {
  return async (tx, { id, userId, template, recipient }) => {
    if (!template || recipient === null) return { kind: 'cancel' };
    const other = toOtherAddress.has(template);
    const [user] = await tx.execute<{ displayName: string; verified: boolean; lately: number }>(sql`
      select u.display_name as "displayName", u.email_verified_at is not null as verified,
        (select count(*)::int from mails m where m.kind = 'account' and lower(m.recipient) = lower(${recipient})
          and m.template = ${template} and m.state in ('claimed', 'sent', 'maybe_sent')
          and m.claimed_at > now() - interval '1 hour') as lately
      from users u where u.id = ${userId} and u.erased_at is null and (${other} or lower(u.email) = lower(${recipient}))`);
    const wanted = user && user.lately < settings.perHourMax && (template !== 'verify' || !user.verified);
    if (!wanted) return { kind: 'cancel' };
    const { publicUrl, domain, tokenLifetimeMs } = settings;
    const link = template in links ? links[template as keyof typeof links] : undefined;
    const url = async (): Promise<string | undefined> => {
      if (!link) return undefined;
      const token = await issueToken(tx, link.purpose, userId, { email: recipient, mailId: id }, tokenLifetimeMs);
      return `${publicUrl}/#/${link.page}?token=${token}`;
    };
    const written = writeAccount(template, { displayName: user.displayName, url: await url(), publicUrl });
    return {
      kind: 'mail',
      mail: { ...written, messageId: `<${id}@${domain}>`, to: recipient, headers: {} },
      claim: { covers: [], unsubscribeHash: null },
    };
  };
}
