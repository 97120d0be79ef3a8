/** Read markers and notification levels, per user and room. */
import { bigint, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { seq, time } from './columns.ts';

export const readStates = pgTable(
  'read_states',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    lastReadSeq: seq('last_read_seq').notNull(),
    updatedAt: time('updated_at').notNull().defaultNow(),
    /** Grows with every change of what the user has read or of what counts as a mention: orders answers about the counts. */
    version: bigint('version', { mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] }), index('read_states_room').on(table.roomId)],
);

export const roomNotifications = pgTable(
  'room_notifications',
  {
    userId: uuid('user_id').notNull(),
    roomId: uuid('room_id').notNull(),
    level: text('level').$type<'all' | 'mentions' | 'none'>().notNull(),
    mutedUntil: time('muted_until'),
  },
  (table) => [primaryKey({ columns: [table.userId, table.roomId] }), index('room_notifications_room').on(table.roomId)],
);
