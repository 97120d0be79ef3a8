/**
 * Heartbeats of job workers, by Postgres' clock. graphile-worker itself releases the jobs of a killed worker after hours.
 * Here they are released as soon as its row has had no heartbeat for `deadAfter`, or is deleted.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';

export interface WorkerLease {
  /** Writes a heartbeat with the names under which this worker locks jobs. */
  readonly renew: (lockNames: readonly string[]) => Promise<void>;
  /**
   * Frees the jobs of workers that are not alive, and jobs locked by this one that it does not know of: the answer to
   * its fetching them, or its word that they are done, was lost with a connection.
   * @returns how many jobs were freed
   */
  readonly freeDead: (own: { lockNames: readonly string[]; activeJobs: readonly string[] }) => Promise<number>;
  /** Deletes this worker's row, so that others take over at once. */
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

  return {
    renew: async (lockNames) => {
      await db.execute(sql`
        insert into job_workers (id, lock_names, seen_at)
        values (${workerId}, array(${textsOf(lockNames)}), clock_timestamp())
        on conflict (id) do update set lock_names = excluded.lock_names, seen_at = excluded.seen_at`);
    },
    freeDead: async ({ lockNames, activeJobs }) => {
      await db.execute(sql`delete from job_workers where seen_at < now() - ${silence}`);
      const freed = await db.execute(sql`
        update graphile_worker._private_jobs j set locked_at = null, locked_by = null
        where locked_by is not null and locked_at < now() - ${silence}
          and (not exists (select from job_workers w where j.locked_by = any(w.lock_names))
            or (locked_by in (${textsOf(lockNames)}) and id::text not in (${textsOf(activeJobs)})))
        returning id`);
      return freed.length;
    },
    end: async (lockNames) => {
      await db.execute(sql`delete from job_workers where id = ${workerId}`);
      await db.execute(sql`select graphile_worker.force_unlock_workers(array(${textsOf(lockNames)}))`);
    },
  };
}

function textsOf(texts: readonly string[]): SQL {
  return sql`select json_array_elements_text(${JSON.stringify(texts)}::json)`;
}
