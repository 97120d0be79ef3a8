/** Identities of other systems, and what remains of erased accounts. */
import { sql } from 'drizzle-orm';
import { index, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, createdAt, time } from './columns.ts';

/** Identities of users in other systems: (issuer, subject) of an OAuth provider or of a host application. */
export const identities = pgTable(
  'identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** The id in URLs. */
    id: uuid('id').notNull().defaultRandom(),
    userId: uuid('user_id').notNull(),
    /** Name of the OAuth provider; null if a host application vouches for the identity. */
    provider: text('provider'),
    /** The claims that the issuer sent last. */
    profile: jsonb('profile').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    uniqueIndex('identities_id').on(table.id),
    index('identities_user').on(table.userId),
  ],
);

/** Hashes of erased (issuer, subject) pairs. Their older tokens are refused, so that they do not create the account again. */
export const erasedIdentities = pgTable(
  'erased_identities',
  {
    hash: bytea('hash').primaryKey(),
    erasedAt: time('erased_at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [index('erased_identities_age').on(table.erasedAt)],
);

/** Erasures of accounts and their progress. If the instance that runs one dies, another instance finishes it. */
export const erasures = pgTable(
  'erasures',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    requestedAt: time('requested_at').notNull().default(sql`clock_timestamp()`),
    /** The heartbeat of the instance that runs the erasure. After a long silence another instance takes over. */
    claimedAt: time('claimed_at'),
    finishedAt: time('finished_at'),
  },
  (table) => [
    uniqueIndex('erasures_user').on(table.userId),
    index('erasures_open').on(table.requestedAt).where(sql`finished_at is null`),
  ],
);
