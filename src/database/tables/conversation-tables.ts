/** What people add to messages: reactions, pins, polls, follows of threads, bookmarks, and messages that are not sent yet. */
import { sql } from 'drizzle-orm';
import {
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea, createdAt, seq, time } from './columns.ts';

/** Text compared by its bytes: an emoji is the same as another only if it is written in the same way. */
const bytesText = customType<{ data: string }>({ dataType: () => 'text collate "C"' });

export const reactions = pgTable(
  'reactions',
  {
    messageId: uuid('message_id').notNull(),
    emoji: bytesText('emoji').notNull(),
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    /** Of its `reaction.added` event. */
    seq: seq('seq').notNull(),
    at: time('at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.messageId, table.emoji, table.userId] }),
    index('reactions_message').on(table.messageId, table.seq),
    index('reactions_user').on(table.userId, table.roomId),
  ],
);

/** Emoji that moderators of the deployment add. */
export const customEmojis = pgTable(
  'custom_emojis',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    type: text('type').notNull(),
    image: bytea('image').notNull(),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex('custom_emojis_name').on(table.name)],
);

export const pins = pgTable(
  'pins',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    pinnedBy: uuid('pinned_by').notNull(),
    /** Of its `message.pinned` event. */
    seq: seq('seq').notNull(),
    at: time('at').notNull().defaultNow(),
  },
  (table) => [index('pins_room').on(table.roomId, table.seq), index('pins_by').on(table.pinnedBy)],
);

/**
 * Threads with at least one message. A table of its own: the statement that appends a message must not wait for the row of
 * another message, which an edit may have locked (docs/internals/group-commit.md).
 */
export const threads = pgTable(
  'threads',
  { threadId: uuid('thread_id').primaryKey(), roomId: uuid('room_id').notNull() },
  (table) => [index('threads_room').on(table.roomId)],
);

/** Who follows a thread, and how far they have read it. Threads are known by the message that starts them. */
export const threadFollows = pgTable(
  'thread_follows',
  {
    threadId: uuid('thread_id').notNull(),
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    /** False: the user has stopped following, and does not begin again by having written the first message. */
    following: boolean('following').notNull().default(true),
    lastReadSeq: seq('last_read_seq').notNull().default(0),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.threadId, table.userId] }),
    index('thread_follows_user').on(table.userId, table.roomId),
    index('thread_follows_room').on(table.roomId),
  ],
);

export const polls = pgTable(
  'polls',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    question: text('question').notNull(),
    options: text('options').array().notNull(),
    multiple: boolean('multiple').notNull(),
    anonymous: boolean('anonymous').notNull(),
    closesAt: time('closes_at'),
    closedAt: time('closed_at'),
  },
  (table) => [
    index('polls_room').on(table.roomId),
    index('polls_closing').on(table.closesAt).where(sql`closed_at is null and closes_at is not null`),
  ],
);

export const pollVotes = pgTable(
  'poll_votes',
  {
    messageId: uuid('message_id').notNull(),
    option: integer('option').notNull(),
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    /** Of the `poll.updated` event that brought the vote. */
    seq: seq('seq').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.messageId, table.option, table.userId] }),
    index('poll_votes_user').on(table.userId, table.roomId),
  ],
);

/** Previews of the links of a message. */
export const linkPreviews = pgTable(
  'link_previews',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    /** `{url, title, description, siteName, pictureId}` of each. */
    previews: jsonb('previews').$type<readonly Record<string, unknown>[]>().notNull().default([]),
    /** The author removed them: they are not fetched again. */
    removedAt: time('removed_at'),
    createdAt: createdAt(),
  },
  (table) => [index('link_previews_room').on(table.roomId)],
);

/** Pages that messages link to, as they were when they were fetched. They belong to nobody, and go when they are old. */
export const linkPages = pgTable(
  'link_pages',
  {
    /** Without its fragment. */
    url: bytesText('url').primaryKey(),
    /** `{title, description, siteName}`; null: there is nothing to show. */
    page: jsonb('page').$type<Record<string, unknown>>(),
    /** As it was fetched: nothing is known of it but its size. */
    picture: bytea('picture'),
    fetchedAt: time('fetched_at').notNull().defaultNow(),
  },
  (table) => [index('link_pages_fetched').on(table.fetchedAt)],
);

/** In a room itself, `threadId` is the id of the room. */
export const drafts = pgTable(
  'drafts',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    threadId: uuid('thread_id').notNull(),
    text: text('text').notNull(),
    attachmentIds: uuid('attachment_ids').array(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.roomId, table.threadId] }),
    index('drafts_room').on(table.roomId),
  ],
);

export const bookmarks = pgTable(
  'bookmarks',
  {
    userId: uuid('user_id').notNull(),
    messageId: uuid('message_id').notNull(),
    roomId: uuid('room_id').notNull(),
    note: text('note').notNull().default(''),
    remindAt: time('remind_at'),
    remindedAt: time('reminded_at'),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.messageId] }),
    index('bookmarks_room').on(table.roomId),
    index('bookmarks_due').on(table.remindAt).where(sql`remind_at is not null and reminded_at is null`),
  ],
);

/** Messages that the job worker sends later, once. */
export const scheduledMessages = pgTable(
  'scheduled_messages',
  {
    id: uuid('id').primaryKey(),
    authorId: uuid('author_id').notNull(),
    roomId: uuid('room_id').notNull(),
    clientId: text('client_id').notNull(),
    /** Everything that the send holds: see `DraftFields` in chat/state/message-draft.ts. */
    draft: jsonb('draft').$type<Record<string, unknown>>().notNull(),
    sendAt: time('send_at').notNull(),
    state: text('state').$type<'waiting' | 'sending' | 'sent' | 'refused'>().notNull().default('waiting'),
    /** No instance takes it before: another one is sending it, or a send has to wait. Names the claim as well. */
    claimedUntil: time('claimed_until'),
    /** Why it was refused: `{code, message}`. */
    failure: jsonb('failure').$type<{ code: string; message: string }>(),
    messageId: uuid('message_id'),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex('scheduled_messages_client_id').on(table.authorId, table.roomId, table.clientId),
    index('scheduled_messages_due').on(table.sendAt).where(sql`state in ('waiting', 'sending')`),
    index('scheduled_messages_room').on(table.roomId),
  ],
);

/** Messages that are being written word by word. The row goes when the message is finished. */
export const messageStreams = pgTable(
  'message_streams',
  {
    messageId: uuid('message_id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    authorId: uuid('author_id').notNull(),
    /** Everything received. Readers see the first `judgedLength` UTF-16 units. */
    text: text('text').notNull().default(''),
    /** Of `text`, in UTF-16 units. */
    length: integer('length').notNull().default(0),
    judgedLength: integer('judged_length').notNull().default(0),
    touchedAt: time('touched_at').notNull().defaultNow(),
    createdAt: createdAt(),
  },
  (table) => [index('message_streams_touched').on(table.touchedAt), index('message_streams_author').on(table.authorId)],
);
