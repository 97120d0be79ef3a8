/** Credentials and the keys that protect them. */
import { index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, createdAt, time } from './columns.ts';

/** Mailed links, OAuth codes and WebAuthn challenges. They are valid once, for one purpose, and are stored as hashes. */
export const oneTimeTokens = pgTable(
  'one_time_tokens',
  {
    hash: bytea('hash').primaryKey(),
    purpose: text('purpose').notNull(),
    userId: uuid('user_id'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('one_time_tokens_user').on(table.userId), index('one_time_tokens_expiry').on(table.expiresAt)],
);

/** Devices (the hash of a cookie) that have logged into an account. Wrong guesses from elsewhere do not lock them out. */
export const trustedDevices = pgTable(
  'known_devices',
  {
    hash: bytea('hash').notNull(),
    userId: uuid('user_id').notNull(),
    createdAt: createdAt(),
    lastUsedAt: time('last_used_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.hash, table.userId] }),
    index('known_devices_user').on(table.userId),
    index('known_devices_age').on(table.lastUsedAt),
  ],
);

export const mfaFactors = pgTable(
  'second_factors',
  {
    id: text('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').$type<'totp' | 'passkey' | 'recovery'>().notNull(),
    name: text('name').notNull().default(''),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    confirmedAt: time('confirmed_at'),
    lastUsedAt: time('last_used_at'),
    createdAt: createdAt(),
  },
  (table) => [index('second_factors_user').on(table.userId)],
);

/** The key that encrypts secrets, if the operator configured none (auth/credentials/secret-encryption.ts). */
export const sealingKeys = pgTable('sealing_keys', {
  id: text('id').primaryKey(),
  key: bytea('key').notNull(),
  createdAt: createdAt(),
});

export const signingKeys = pgTable('signing_keys', {
  id: text('id').primaryKey(),
  algorithm: text('algorithm').notNull(),
  publicJwk: jsonb('public_jwk').$type<Record<string, unknown>>().notNull(),
  privateJwk: jsonb('private_jwk').$type<Record<string, unknown>>().notNull(),
  createdAt: createdAt(),
  retiredAt: time('retired_at'),
});
