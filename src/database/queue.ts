/** Adds jobs as rows in the caller's transaction, so that a job is queued exactly if its cause was committed. */
import { type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from './connect.ts';

/** Every task and its payload. A payload holds ids only; the task reads the rest when it runs. */
export interface JobPayloads {
  /** Finds the members with unread messages. Added by the statement that stores messages, see chat/events/. */
  room_unread: { roomId: string; again?: boolean };
  unread_mail: { mailId: string };
  account_mail: { mailId: string };
  /** Sends the scheduled messages that are due. */
  scheduled_messages: Readonly<Record<string, never>>;
  /** Sends the reminders of bookmarks that are due. */
  bookmark_reminders: Readonly<Record<string, never>>;
  /** Fetches the pages that a message links to. Added with the message, and with an edit. */
  link_previews: { roomId: string; messageId: string };
  /** Shows what was found of them. */
  show_previews: { roomId: string; messageId: string };
}

export interface JobTiming {
  /** One pending job per key. Adding it again keeps the first `runAt`. */
  readonly key: string;
  /** By Postgres' clock, for example `now() + interval '1 minute'`. Default: at once. */
  readonly runAt?: SQL;
}

/**
 * Queues `task` in the caller's transaction. Tasks must bear running twice, at the same time, and with nothing to do.
 * The queue may lose a keyed job under contention, so a job is only a wake-up: the work that is owed is a row of its own.
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
