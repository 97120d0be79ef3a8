/** The epoch of the log, and the proof that it is complete after a restart of Postgres (realtime/cluster/log-epoch.ts). */
import { bigint, boolean, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, time } from './columns.ts';

/** The id of the log's epoch. A restored or replaced database gets another one. */
export const logEpoch = pgTable('log_identity', {
  singleton: boolean('singleton').primaryKey().default(true),
  logId: uuid('log_id').notNull(),
  createdAt: createdAt(),
});

/**
 * The run of the Postgres server (from one start to the next) in which the log was last found complete. Appends wait until
 * the current run is recorded here.
 */
export const logServer = pgTable('log_server', {
  singleton: boolean('singleton').primaryKey().default(true),
  startedAt: text('started_at').notNull(),
  adoptedAt: time('adopted_at').notNull().defaultNow(),
});

/** Chat instances that have a part of the log in memory. After a restart of Postgres they check that it is still there. */
export const logWitnesses = pgTable('log_witnesses', {
  id: uuid('id').primaryKey(),
  /** Incremented while the instance lives. If it is smaller than the instance remembers, the database was set back. */
  beat: bigint('beat', { mode: 'number' }).notNull(),
  /** The run of the server in which the instance registered. */
  bornIn: text('born_in').notNull(),
  /** The latest run of the server in which the instance found every event that it has in memory. */
  confirmedIn: text('confirmed_in').notNull(),
  seenAt: time('seen_at').notNull().defaultNow(),
  /** Set at a clean stop. */
  endedAt: time('ended_at'),
});
