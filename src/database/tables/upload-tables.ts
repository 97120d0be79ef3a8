/** Uploaded files. Their bytes are in a folder or an S3-compatible store, under the key of the row. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, time } from './columns.ts';

export const attachments = pgTable(
  'attachments',
  {
    id: uuid('id').primaryKey(),
    ownerId: uuid('owner_id').notNull(),
    /** Null until a message names the file. */
    roomId: uuid('room_id'),
    messageId: uuid('message_id'),
    /** Its place among the files of the message. */
    position: integer('position'),
    name: text('name').notNull(),
    type: text('type').notNull(),
    /** Bytes that are stored, thumbnail included: what counts towards the quota. */
    storedBytes: bigint('stored_bytes', { mode: 'number' }).notNull(),
    size: bigint('size', { mode: 'number' }).notNull(),
    width: integer('width'),
    height: integer('height'),
    blurhash: text('blurhash'),
    thumbnailType: text('thumbnail_type'),
    thumbnailSize: integer('thumbnail_size'),
    /** `pending`: not scanned yet; nobody can fetch it. */
    state: text('state').$type<'pending' | 'ready' | 'infected'>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('attachments_owner').on(table.ownerId),
    index('attachments_message').on(table.messageId).where(sql`message_id is not null`),
    index('attachments_orphans').on(table.createdAt).where(sql`message_id is null`),
  ],
);

/** Bytes to delete. A row stays until the store says that they are gone. */
export const fileDeletions = pgTable(
  'file_deletions',
  { key: text('key').primaryKey(), dueAt: time('due_at').notNull().defaultNow(), createdAt: createdAt() },
  (table) => [index('file_deletions_due').on(table.dueAt)],
);
