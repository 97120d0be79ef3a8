/** Rooms, their members and invites. */
import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, createdAt, seq, time, transactionId } from './columns.ts';

export const rooms = pgTable(
  'rooms',
  {
    id: uuid('id').primaryKey(),
    kind: text('kind').$type<'room' | 'dm'>().notNull(),
    name: text('name').notNull().default(''),
    topic: text('topic').notNull().default(''),
    visibility: text('visibility').$type<'public' | 'private'>().notNull(),
    history: text('history').$type<'all' | 'joined'>().notNull().default('all'),
    slowModeSeconds: integer('slow_mode_seconds').notNull().default(0),
    /** Who may pin messages. */
    pins: text('pins').$type<'moderators' | 'members'>().notNull().default('members'),
    /** Whether members see how far others have read. Null: in direct messages only. */
    receipts: boolean('receipts'),
    /** Hash of the sorted member ids of a direct-message room: there is one room for each set of members. */
    dmKey: bytea('dm_key'),
    createdBy: uuid('created_by').notNull(),
    createdAt: createdAt(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    uniqueIndex('rooms_dm_key').on(table.dmKey),
    index('rooms_public').on(table.name, table.id).where(sql`visibility = 'public' and deleted_at is null`),
  ],
);

export const members = pgTable(
  'members',
  {
    roomId: uuid('room_id').notNull(),
    userId: uuid('user_id').notNull(),
    role: text('role').$type<'owner' | 'moderator' | 'member'>().notNull(),
    /** seq of the `member.joined` event that started this membership. */
    joinedSeq: seq('joined_seq').notNull(),
    joinedAt: time('joined_at').notNull().defaultNow(),
    mutedUntil: time('muted_until'),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.userId] }),
    index('members_user').on(table.userId, table.roomId),
  ],
);

/** Every start and end of a membership. Instances poll it for their connected users, and it is the record of former members. */
export const membershipChanges = pgTable(
  'membership_changes',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    roomId: uuid('room_id').notNull(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'joined' | 'left'>().notNull(),
    reason: text('reason').$type<'left' | 'removed' | 'banned' | 'deleted'>(),
    seq: seq('seq').notNull(),
    /** Set if the user was muted when the membership ended. A user who comes back earlier is still muted. */
    mutedUntil: time('muted_until'),
  },
  (table) => [
    index('membership_changes_xid').on(table.xid),
    index('membership_changes_user').on(table.userId, table.roomId, table.id),
  ],
);

/**
 * Invite links. A link works while its creator is a member of the room, so an erasure of the creator disables it.
 * Expired links are deleted.
 */
export const invites = pgTable(
  'invites',
  {
    id: uuid('id').primaryKey(),
    roomId: uuid('room_id').notNull(),
    codeHash: bytea('code_hash').notNull(),
    /** The encrypted code, for repeats of the request that created the link. */
    sealedCode: text('sealed_code').notNull(),
    createdBy: uuid('created_by').notNull(),
    /** Created by deployment staff or a server, which need no membership. */
    byStaff: boolean('by_staff').notNull(),
    createdAt: createdAt(),
    expiresAt: time('expires_at').notNull(),
    maxUses: integer('max_uses'),
    uses: integer('uses').notNull().default(0),
  },
  (table) => [
    uniqueIndex('invites_code').on(table.codeHash),
    index('invites_room').on(table.roomId, table.expiresAt),
    index('invites_maker').on(table.createdBy),
  ],
);
