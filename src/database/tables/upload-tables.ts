/** Uploaded files. Their bytes are in a folder or an S3-compatible store, under `fileId`. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, time } from './columns.ts';

export const attachments = pgTable(
  'attachments',
  {
    id: uuid('id').primaryKey(),
    /** Whose message shows the file, and whose quota it counts towards. */
    ownerId: uuid('owner_id').notNull(),
    /** Of the bytes. A forwarded message has rows of its own for the same bytes, which stay until the last row is gone. */
    fileId: uuid('file_id').notNull(),
    /** Who uploaded the bytes: when they are erased, all rows of their files go. */
    uploaderId: uuid('uploader_id').notNull(),
    /** Null until a message names the file. */
    roomId: uuid('room_id'),
    messageId: uuid('message_id'),
    /** Its place among the files of the message; null for what a message shows elsewhere, such as a preview's picture. */
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
    /** `pending`: still uploading, or not scanned yet; nobody can fetch it. `storedBytes` is then what it may take. */
    state: text('state').$type<'pending' | 'ready'>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('attachments_owner').on(table.ownerId),
    index('attachments_file').on(table.fileId),
    index('attachments_uploader').on(table.uploaderId),
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
