/** Sessions (one login on one device), their refresh tokens, and the log of everything that was revoked. */
import { sql } from 'drizzle-orm';
import { bigint, boolean, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, createdAt, time, transactionId } from './columns.ts';

/** One login on one device. */
export const sessions = pgTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    userAgent: text('user_agent'),
    address: text('address'),
    /** Opened by another server with its API key. Such a session never has staff rights. */
    byServer: boolean('by_server').notNull().default(false),
    createdAt: createdAt(),
    /** When the user last authenticated. Sensitive changes require that this is recent. */
    authenticatedAt: time('authenticated_at').notNull().defaultNow(),
    lastUsedAt: time('last_used_at').notNull().defaultNow(),
    expiresAt: time('expires_at').notNull(),
    revokedAt: time('revoked_at'),
  },
  (table) => [index('sessions_user').on(table.userId), index('sessions_expiry').on(table.expiresAt)],
);

export const refreshTokens = pgTable(
  'refresh_tokens',
  {
    hash: bytea('hash').primaryKey(),
    sessionId: uuid('session_id').notNull(),
    createdAt: createdAt(),
    rotatedAt: time('rotated_at'),
  },
  (table) => [index('refresh_tokens_session').on(table.sessionId)],
);

/** Ended sessions, tokens and bans. Every instance reads them before it serves a request (auth/sessions/revocations.ts). */
export const revocations = pgTable(
  'revocations',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId(),
    /** `tokens`: tokens of host applications that were issued at `until` or earlier are no longer valid. */
    kind: text('kind').$type<'session' | 'user' | 'tokens' | 'ban' | 'unban'>().notNull(),
    userId: uuid('user_id').notNull(),
    sessionId: uuid('session_id'),
    until: time('until'),
    at: time('at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [index('revocations_xid').on(table.xid), index('revocations_at').on(table.at)],
);
