/**
 * Which job workers are alive, by Postgres' clock. graphile-worker itself gives a killed worker's jobs back after
 * hours; here they are free as soon as its row has been silent for `deadAfter`, or is gone.
 */
import { sql } from 'drizzle-orm';
import type { Database } from '../database/connect.ts';

export interface WorkerLease {
  /** Says that this worker lives, and with which names it locks jobs. */
  readonly renew: (lockNames: readonly string[]) => Promise<void>;
  /** Frees the jobs of workers that are not alive. @returns how many workers were freed */
  readonly freeDead: () => Promise<number>;
  /** Ends this worker's life now, so that nobody waits for it. */
  readonly end: (lockNames: readonly string[]) => Promise<void>;
}

export function createWorkerLease({
  db,
  workerId,
  deadAfterMs,
}: {
  db: Database;
  workerId: string;
  deadAfterMs: number;
}): WorkerLease {
  const silence = sql`${deadAfterMs} * interval '1 millisecond'`;

  async function unlock(names: readonly string[]): Promise<void> {
    await db.execute(sql`select graphile_worker.force_unlock_workers(
      array(select json_array_elements_text(${JSON.stringify(names)}::json)))`);
  }

  return {
    renew: async (lockNames) => {
      await db.execute(sql`
        insert into job_workers (id, lock_names, seen_at)
        values (${workerId}, array(select json_array_elements_text(${JSON.stringify(lockNames)}::json)), clock_timestamp())
        on conflict (id) do update set lock_names = excluded.lock_names, seen_at = excluded.seen_at`);
    },
    freeDead: async () => {
      await db.execute(sql`delete from job_workers where seen_at < now() - ${silence}`);
      const dead = await db.execute<{ name: string }>(sql`
        select distinct locked_by as name from graphile_worker._private_jobs j
        where locked_by is not null and locked_at < now() - ${silence}
          and not exists (select from job_workers w where j.locked_by = any(w.lock_names))`);
      if (dead.length > 0) await unlock(dead.map(({ name }) => name));
      return dead.length;
    },
    end: async (lockNames) => {
      await db.execute(sql`delete from job_workers where id = ${workerId}`);
      await unlock(lockNames);
    },
  };
}
