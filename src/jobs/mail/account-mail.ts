/**
 * Mails about an account. What is owed names a template and an address, never a token: a link's token is made when
 * its mail is claimed and goes into the mail and, hashed, into one_time_tokens; the queue never sees it.
 */
import { sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../../database/connect.ts';
import { addJob } from '../../database/queue.ts';
import { mails } from '../../database/tables/mail-tables.ts';
import type { Prepare } from './mail-delivery.ts';
import { writeAccount } from './mail-text.ts';

/** Templates with a link that is good once, and what their link is for. */
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
  /** One bare address, checked where it came in; null: a mail to nobody, which costs the same and is dropped. */
  readonly to: string | null;
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

/** Makes a one-time token that is kept only as a hash. @see auth/credentials/one-time-tokens.ts */
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
  /** Mails of one kind to one address in an hour; more are dropped, whoever asks for them. */
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
