/** Adding jobs: a row in the caller's transaction, so that work is queued exactly if its cause was committed. */
import { type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from './connect.ts';

/** Every task and what it is told: ids only, the task reads the rest as of when it runs. */
export interface JobPayloads {
  /** Who has not read what was said here? Added by the statement that stores messages, see chat/events/. */
  room_unread: { roomId: string; again?: boolean };
  unread_mail: { mailId: string };
  account_mail: { mailId: string };
}

export interface JobTiming {
  /** One pending job per key; a repeat keeps the first one's time. */
  readonly key: string;
  /** By Postgres' clock, e.g. `now() + interval '1 minute'`; absent: at once. */
  readonly runAt?: SQL;
}

/**
 * Queues `task` in the caller's transaction. Tasks must bear running twice, at once and for nothing.
 * The queue may lose a keyed job under contention, so it only rings the bell: what is owed is a row of its own.
 */
export async function addJob<Task extends keyof JobPayloads>(
  tx: Database | Transaction,
  task: Task,
  payload: JobPayloads[Task],
  { key, runAt = sql`now()` }: JobTiming,
): Promise<void> {
  await tx.execute(sql`select graphile_worker.add_job(${task}, ${JSON.stringify(payload)}::json,
    run_at => ${runAt}, job_key => ${key}, job_key_mode => 'preserve_run_at')`);
}
