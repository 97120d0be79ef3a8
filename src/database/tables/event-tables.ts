/**
 * The room log (docs/decisions/0002-one-log-row-per-message.md): its primary key (room_id, seq) is the order of events and the lock of an append.
 * A message is its `message.created` row. Users are referred to by id without foreign keys, so that an erasure never rewrites other users' history.
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { seq, time } from './columns.ts';

/**
 * The room log. A `message.created` row holds its message. Edits replace `text` and `html` (message_edits holds the older
 * versions), a deletion clears them. `digest` tells whether a repeated clientId came with the same text.
 */
export const events = pgTable(
  'events',
  {
    roomId: uuid('room_id').notNull(),
    seq: seq('seq').notNull(),
    type: text('type').notNull(),
    at: time('at').notNull().default(sql`clock_timestamp()`),
    actorId: uuid('actor_id'),
    messageId: uuid('message_id'),
    clientId: text('client_id'),
    digest: bigint('digest', { mode: 'bigint' }),
    text: text('text'),
    html: text('html'),
    mentions: uuid('mentions').array(),
    mentionsAll: text('mentions_all').$type<'here' | 'room'>(),
    replyTo: uuid('reply_to'),
    /** The message that starts the thread that this message is in. */
    threadId: uuid('thread_id'),
    /** Of a message in a thread: it is in the room's own history too. */
    alsoInRoom: boolean('also_in_room'),
    /** Which tables hold more about the message: see chat/state/message-marks.ts. */
    marks: integer('marks').notNull().default(0),
    editedAt: time('edited_at'),
    deletedAt: time('deleted_at'),
    deletedBy: uuid('deleted_by'),
    data: jsonb('data').$type<Record<string, unknown>>(),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.seq] }),
    uniqueIndex('events_message').on(table.messageId).where(sql`type = 'message.created'`),
    uniqueIndex('events_client_id').on(table.roomId, table.actorId, table.clientId).where(sql`client_id is not null`),
    index('events_reply').on(table.replyTo).where(sql`reply_to is not null`),
    index('events_thread').on(table.threadId, table.seq).where(sql`thread_id is not null`),
  ],
);

/** Earlier versions of edited messages; version 0 is the original. */
export const messageEdits = pgTable(
  'message_edits',
  {
    messageId: uuid('message_id').notNull(),
    version: integer('version').notNull(),
    roomId: uuid('room_id').notNull(),
    /** seq of the event that created this version: `message.created` or `message.updated`. */
    seq: seq('seq').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    mentions: uuid('mentions').array(),
    mentionsAll: text('mentions_all').$type<'here' | 'room'>(),
    at: time('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.messageId, table.version] })],
);
