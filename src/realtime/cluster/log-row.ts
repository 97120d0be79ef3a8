/** The row of Postgres that names the log, and the SQL expressions of the names that are made of it. See docs/internals/log-epochs.md. */
import { createHash, randomUUID } from 'node:crypto';
import type { Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';

/** One run of the server, from one start to the next. The crash of one backend does not begin a new one. */
export const serverRun = 'extract(epoch from pg_postmaster_start_time())::text';

/** The part of the epoch that changes only when the log is replaced: the transaction that named the log, and the server's timeline. */
const logStamp = "log_identity.xmin::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)";

/** The epoch, in a statement that reads the row of `log_identity`. */
export const epochExpression = `(${logStamp} || ' ' || ${serverRun})`;

/** The same for a statement of postgres.js. */
export function epochOfLog(sql: Sql) {
  return sql.unsafe(epochExpression);
}

/** The log as Postgres shows it at one moment. */
export interface LogNow {
  readonly epoch: string;
  /** On the wire. */
  readonly logId: string;
  /** `log_identity.log_id`. */
  readonly rowId: string;
  /** The present run of the server. */
  readonly server: string;
  /** The run of the server in which the log was last found complete. */
  readonly adopted: string | null;
  /** Tells databases apart that share a folder or a Redis. */
  readonly database: string;
}

interface Row {
  readonly epoch: string;
  readonly stamp: string;
  readonly server: string;
  readonly adopted: string | null;
  readonly log_id: string;
  readonly system: string;
  readonly database: string;
}

/** @throws Failure `unavailable` while there is no row, because the database is being restored */
export async function readLog(sql: Sql): Promise<LogNow> {
  const [row] = await sql<Row[]>`
    select ${epochOfLog(sql)} as epoch, ${sql.unsafe(logStamp)} as stamp, ${sql.unsafe(serverRun)} as server,
      (select started_at from log_server) as adopted, log_id, (select system_identifier::text from pg_control_system()) as system,
      (select oid::text from pg_database where datname = current_database()) as database
    from log_identity`;
  if (!row) throw new Failure('unavailable', 'the database is being restored', { retryAfterMs: 1000 });
  const { epoch, stamp, log_id, system, database, server, adopted } = row;
  const logId = createHash('sha256').update(`${log_id} ${system} ${stamp} ${database}`).digest('hex').slice(0, 32);
  return { epoch, logId, rowId: log_id, server, adopted, database: `${system} ${database}` };
}

/** Names a log that has no name yet. No client knows it, so the present run of the server is adopted with it. */
export async function nameLog(sql: Sql): Promise<void> {
  await sql`
    with created as (
      insert into log_identity (singleton, log_id) values (true, ${randomUUID()}) on conflict do nothing returning 1
    )
    insert into log_server (singleton, started_at) select true, ${sql.unsafe(serverRun)} from created
    on conflict (singleton) do update set started_at = excluded.started_at, adopted_at = now()`;
}
