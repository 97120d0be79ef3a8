/** Accounts, and what their owners set for themselves. */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { boolean, index, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, time } from './columns.ts';

/**
 * The search terms of a user: the words of the display name and the whole username. `parley_name_words` of the migrations
 * folds the words to lower case without accents, in the same way in every locale.
 */
export function nameWords({ displayName, username }: Record<'displayName' | 'username', SQLWrapper>): SQL {
  return sql`array_to_tsvector(parley_name_words(${displayName}) || lower(${username}))`;
}

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    username: text('username').notNull(),
    displayName: text('display_name').notNull(),
    avatarUrl: text('avatar_url'),
    kind: text('kind').$type<'user' | 'guest'>().notNull().default('user'),
    role: text('role').$type<'user' | 'moderator' | 'admin'>().notNull().default('user'),
    email: text('email'),
    emailVerifiedAt: time('email_verified_at'),
    /** The address was confirmed without a login: the owner of the mailbox may not be the person who created the account. */
    confirmedOutside: boolean('confirmed_outside').notNull().default(false),
    passwordHash: text('password_hash'),
    createdAt: createdAt(),
    lastSeenAt: time('last_seen_at'),
    /** The custom status: an emoji, a text, or both. */
    statusEmoji: text('status_emoji'),
    statusText: text('status_text'),
    statusExpiresAt: time('status_expires_at'),
    /** Others see the user as offline. */
    invisible: boolean('invisible').notNull().default(false),
    /** Tokens of host applications are refused if they were issued before this time. */
    tokensEndedAt: time('tokens_ended_at'),
    erasedAt: time('erased_at'),
  },
  (table) => [
    uniqueIndex('users_username').on(sql`lower(${table.username})`),
    uniqueIndex('users_verified_email').on(sql`lower(${table.email})`).where(sql`${table.emailVerifiedAt} is not null`),
    index('users_email').on(sql`lower(${table.email})`),
    index('users_names').using('gin', nameWords(table)).where(sql`${table.erasedAt} is null`),
  ],
);

export const blocks = pgTable(
  'blocks',
  { userId: uuid('user_id').notNull(), blockedId: uuid('blocked_id').notNull(), createdAt: createdAt() },
  (table) => [primaryKey({ columns: [table.userId, table.blockedId] }), index('blocks_blocked').on(table.blockedId)],
);

export const notificationSettings = pgTable('notification_settings', {
  userId: uuid('user_id').primaryKey(),
  settings: jsonb('settings').$type<Record<string, unknown>>().notNull(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});
