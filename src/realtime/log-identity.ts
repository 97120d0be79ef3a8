/**
 * Names this incarnation of the log. The id changes when the log may have lost or rewritten something: the database was
 * restored into another cluster, or a standby took over (a new timeline). A client that presents another id starts over.
 */
import { createHash, randomUUID } from 'node:crypto';
import { coalesce } from '../database/coalesce.ts';
import type { Sql } from '../database/connect.ts';

interface IdentityRow {
  readonly log_id: string;
  readonly system: string;
  readonly timeline: number;
  readonly database: string;
}

/** @returns the id as of now; callers of one turn share a query */
export async function createLogIdentity(sql: Sql): Promise<() => Promise<string>> {
  await sql`insert into log_identity (singleton, log_id) values (true, ${randomUUID()}) on conflict do nothing`;
  const read = coalesce(async (askers: readonly undefined[]) => {
    const [row] = await sql<IdentityRow[]>`
      select log_id, (select system_identifier::text from pg_control_system()) as system,
        (select timeline_id from pg_control_checkpoint()) as timeline, (select oid::text from pg_database where datname = current_database()) as database
      from log_identity`;
    const { log_id, system, timeline, database } = row!;
    const id = createHash('sha256').update(`${log_id} ${system} ${timeline} ${database}`).digest('hex').slice(0, 32);
    return askers.map(() => id);
  }, Number.MAX_SAFE_INTEGER);
  return () => read(undefined);
}
