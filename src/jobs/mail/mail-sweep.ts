/** The rows of mails are the truth and jobs only reminders: queues jobs again for overdue mails, and deletes old rows. */
import { sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { ringAll } from './mail-ledger.ts';

/** A mail is overdue after this time, so that its own job comes first. */
const graceMs = 5000;
const ringsMax = 1000;
const deletesMax = 1000;

/** @returns how many jobs were queued; they start spread over `spreadMs` */
export async function ringOverdue(db: Database, spreadMs: number): Promise<number> {
  const [row] = await db.execute<{ rung: number }>(sql`
    with overdue as materialized (
      select m.id, m.kind from mails m
      where m.state = 'owed' and m.due_at < now() - ${graceMs} * interval '1 millisecond'
        and not exists (select from graphile_worker._private_jobs j where j.key = 'mail:' || m.id and j.locked_at is null
          and j.attempts < j.max_attempts)
      order by m.due_at limit ${ringsMax}
    )
    ${ringAll(sql`select kind || '_mail' as task, id,
      clock_timestamp() + random() * ${spreadMs} * interval '1 millisecond' as run_at from overdue`)}`);
  return row!.rung;
}

/** Deletes mails that finished long ago, gives up outdated account mails, and deletes jobs that failed permanently. */
export async function tidyMails(db: Database, keepMs: number): Promise<void> {
  await db.execute(sql`
    delete from mails where id in (
      select id from mails where finished_at < now() - ${keepMs} * interval '1 millisecond' order by finished_at limit ${deletesMax})`);
  await db.execute(sql`
    update mails set state = 'cancelled', finished_at = now()
    where kind = 'account' and state = 'owed' and created_at < now() - interval '1 day'`);
  await db.execute(sql`
    delete from graphile_worker._private_jobs where id in (
      select id from graphile_worker._private_jobs
      where attempts >= max_attempts and locked_at is null and updated_at < now() - interval '7 days' limit ${deletesMax})`);
}
