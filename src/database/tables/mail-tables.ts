/** Mails, and which events they have covered. */
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, createdAt, seq, time } from './columns.ts';

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

/**
 * One mail to one member, and the seqs that it covers. `claimedBy` is the job worker that sends it. `handedAt` is set
 * before the last byte goes out: from then on the mail may have arrived.
 */
export const mails = pgTable(
  'mails',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'unread' | 'account'>().notNull().default('unread'),
    /** Kind and recipient of an account mail. An unread mail goes to the address that the member has when it is claimed. */
    template: text('template').$type<AccountMailKind>(),
    recipient: text('recipient'),
    unsubscribeHash: bytea('unsubscribe_hash'),
    state: text('state').$type<'owed' | 'claimed' | 'sent' | 'maybe_sent' | 'cancelled' | 'failed'>().notNull(),
    covers: jsonb('covers').$type<{ roomId: string; fromSeq: number; toSeq: number }[]>().notNull().default([]),
    attempts: integer('attempts').notNull().default(0),
    dueAt: time('due_at').notNull(),
    claimedAt: time('claimed_at'),
    claimedBy: uuid('claimed_by'),
    handedAt: time('handed_at'),
    finishedAt: time('finished_at'),
    createdAt: createdAt(),
  },
  (table) => [
    index('mails_user').on(table.userId, table.state),
    uniqueIndex('mails_one_unread').on(table.userId).where(sql`kind = 'unread' and state in ('owed', 'claimed')`),
    uniqueIndex('mails_unsubscribe').on(table.unsubscribeHash),
    index('mails_age').on(table.finishedAt),
    index('mails_recipient').on(sql`lower(${table.recipient})`, table.claimedAt).where(sql`kind = 'account'`),
    index('mails_due').on(table.dueAt).where(sql`state in ('owed', 'claimed')`),
  ],
);

/** The highest seq that mails have covered, per member and room. */
export const mailMarks = pgTable(
  'mail_marks',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    mailedSeq: seq('mailed_seq').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] })],
);

/** Users who get no mail: they unsubscribed, or their mail server rejected the address permanently. */
export const mailSuppressions = pgTable('mail_suppressions', {
  userId: uuid('user_id').primaryKey(),
  reason: text('reason').$type<'unsubscribed' | 'bounced'>().notNull(),
  failures: integer('failures').notNull().default(0),
  createdAt: createdAt(),
});

/** Mails of a deployment without an SMTP server, shown at /dev/mailbox. */
export const developmentMailbox = pgTable('development_mailbox', {
  id: uuid('id').primaryKey(),
  recipient: text('recipient').notNull(),
  subject: text('subject').notNull(),
  text: text('text').notNull(),
  html: text('html'),
  headers: jsonb('headers').$type<Record<string, string>>().notNull().default({}),
  createdAt: createdAt(),
});
