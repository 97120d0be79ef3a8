/** Reports, decisions, rules, bans and training examples of moderators. */
import { sql } from 'drizzle-orm';
import { bigint, index, jsonb, pgTable, primaryKey, real, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, time, transactionId } from './columns.ts';

/** Messages for review by a moderator, from reports or flags of the engine. A message has at most one open entry. */
export const moderationQueue = pgTable(
  'moderation_queue',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    messageId: uuid('message_id').notNull(),
    authorId: uuid('author_id').notNull(),
    source: text('source').$type<'report' | 'engine'>().notNull(),
    labels: jsonb('labels').$type<unknown[]>().notNull().default([]),
    spamScore: real('spam_score'),
    /** Version of the model, lists and rules that flagged the message; null if only users reported it. */
    engineVersion: text('engine_version'),
    state: text('state').$type<'open' | 'approved' | 'removed'>().notNull().default('open'),
    decidedBy: uuid('decided_by'),
    decidedAt: time('decided_at'),
    note: text('note'),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex('moderation_queue_message').on(table.messageId).where(sql`state = 'open'`),
    index('moderation_queue_open').on(table.state, table.createdAt),
    index('moderation_queue_room').on(table.roomId, table.state),
    index('moderation_queue_author').on(table.authorId, table.createdAt),
  ],
);

export const moderationReports = pgTable(
  'moderation_reports',
  {
    queueId: uuid('queue_id').notNull(),
    reporterId: uuid('reporter_id').notNull(),
    reason: text('reason').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.queueId, table.reporterId] }),
    index('moderation_reports_reporter').on(table.reporterId, table.createdAt),
  ],
);

/**
 * Texts of messages that moderators removed, with their earlier versions, for as long as the removal can be undone.
 * Readers get the tombstone. A row is deleted when the author deletes the message, and by age (`moderation.keepRemoved`).
 */
export const moderationRemovals = pgTable(
  'moderation_removals',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    authorId: uuid('author_id').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    mentions: uuid('mentions').array(),
    versions: jsonb('versions').$type<Record<string, unknown>[]>().notNull().default([]),
    removedAt: time('removed_at').notNull().defaultNow(),
  },
  (table) => [
    index('moderation_removals_author').on(table.authorId),
    index('moderation_removals_age').on(table.removedAt),
  ],
);

/** Labels of blocked texts; never the text or the matched part of it. Rows are deleted by age. */
export const moderationBlocks = pgTable(
  'moderation_blocks',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    authorId: uuid('author_id').notNull(),
    roomId: uuid('room_id').notNull(),
    kind: text('kind').$type<'message' | 'edit'>().notNull(),
    labels: jsonb('labels').$type<{ name: string; score: number; id: string }[]>().notNull(),
    engineVersion: text('engine_version').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('moderation_blocks_author').on(table.authorId, table.createdAt),
    index('moderation_blocks_room').on(table.roomId, table.id),
    index('moderation_blocks_age').on(table.createdAt),
  ],
);

/**
 * Messages without a verdict, by `moderation.fallback`. `pending`: the message exists only here and only its sender sees
 * it. `open`: the message is in the log and still needs a verdict.
 */
export const unjudgedMessages = pgTable(
  'unjudged_messages',
  {
    messageId: uuid('message_id').primaryKey(),
    position: bigint('position', { mode: 'number' }).generatedAlwaysAsIdentity(),
    mode: text('mode').$type<'pending' | 'open'>().notNull(),
    roomId: uuid('room_id').notNull(),
    authorId: uuid('author_id').notNull(),
    clientId: text('client_id').notNull(),
    digest: bigint('digest', { mode: 'bigint' }).notNull(),
    text: text('text').notNull(),
    replyTo: uuid('reply_to'),
    /** What else the draft holds: see `DraftParts` in chat/state/message-draft.ts. */
    parts: jsonb('parts').$type<Record<string, unknown>>(),
    createdAt: createdAt(),
    /** Until then one instance has claimed the retry. */
    claimedUntil: time('claimed_until'),
  },
  (table) => [
    uniqueIndex('unjudged_messages_client_id').on(table.roomId, table.authorId, table.clientId),
    index('unjudged_messages_position').on(table.position),
  ],
);

export const moderationRules = pgTable(
  'moderation_rules',
  {
    id: uuid('id').primaryKey(),
    xid: transactionId(),
    roomId: uuid('room_id'),
    kind: text('kind').$type<'word' | 'phrase' | 'regex' | 'link'>().notNull(),
    pattern: text('pattern').notNull(),
    action: text('action').$type<'flag' | 'block'>().notNull(),
    note: text('note'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    index('moderation_rules_room').on(table.roomId),
    index('moderation_rules_active').on(table.id).where(sql`deleted_at is null`),
  ],
);

export const moderationBans = pgTable(
  'moderation_bans',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id'),
    reason: text('reason'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at'),
    liftedAt: time('lifted_at'),
  },
  (table) => [index('moderation_bans_user').on(table.userId), index('moderation_bans_room').on(table.roomId)],
);

export const moderationAudit = pgTable(
  'moderation_audit',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id'),
    actorId: uuid('actor_id'),
    action: text('action').notNull(),
    targetId: uuid('target_id'),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (table) => [
    index('moderation_audit_room').on(table.roomId, table.createdAt),
    index('moderation_audit_age').on(table.createdAt),
  ],
);

export const learnedExamples = pgTable(
  'learned_examples',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    moderatorId: text('moderator_id').notNull(),
    label: text('label').$type<'spam' | 'ham' | 'offensive' | 'clean'>().notNull(),
    text: text('text').notNull(),
    /** Author and place of the text, if the example comes from a decision; null if another program submitted it. */
    authorId: uuid('author_id'),
    roomId: uuid('room_id'),
    messageId: uuid('message_id'),
    createdAt: createdAt(),
    revokedAt: time('revoked_at'),
  },
  (table) => [
    index('learned_examples_xid').on(table.xid),
    index('learned_examples_author').on(table.authorId),
    index('learned_examples_message').on(table.messageId),
  ],
);
