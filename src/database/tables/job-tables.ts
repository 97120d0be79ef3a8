/** Job workers that are alive. */
import { sql } from 'drizzle-orm';
import { pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { time } from './columns.ts';

/** Heartbeats of job workers. After a long silence a worker counts as dead and its jobs are released. */
export const jobWorkers = pgTable('job_workers', {
  id: uuid('id').primaryKey(),
  /** The names under which graphile-worker locks jobs for this worker. */
  lockNames: text('lock_names').array().notNull().default(sql`'{}'`),
  seenAt: time('seen_at').notNull().default(sql`clock_timestamp()`),
});
