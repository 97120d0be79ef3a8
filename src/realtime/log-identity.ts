/**
 * Names this incarnation of the log. The id changes when the log may have lost or rewritten something: the database was restored,
 * here or into another cluster, or a standby took over (a new timeline). A client that presents another id starts over, and
 * an instance that finds another one forgets all that it remembers of rooms and sends its clients to begin anew.
 *
 * The *era* is the part of it that a statement can compare for nothing: the row that names the log was written by a transaction
 * that no restore repeats, and a takeover counts the timeline up at once. What is appended names the era that its position is of, so
 * a position of a lost log never becomes a seq of the one in its place.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { coalesce, gatherMs } from '../database/coalesce.ts';
import type { Sql } from '../database/connect.ts';

interface IdentityRow {
  readonly era: string;
  readonly log_id: string;
  readonly system: string;
  readonly database: string;
}

export interface LogIdentity {
  /** The log's id as of now; callers of one turn share a query. */
  readonly logId: () => Promise<string>;
  /** The era of everything that this instance remembers. */
  readonly era: () => string;
  /** Looks now. Resolves when what was remembered of another era is forgotten. */
  readonly check: () => Promise<void>;
  /** What to do when the log was replaced; the era changes when it is done. It is repeated until it succeeds. */
  readonly onReplaced: (forget: () => Promise<void>) => void;
  readonly stop: () => void;
}

export async function startLogIdentity({
  sql,
  logger,
  settings,
}: {
  sql: Sql;
  logger: Logger;
  settings: { checkMs: number };
}): Promise<LogIdentity> {
  await sql`insert into log_identity (singleton, log_id) values (true, ${randomUUID()}) on conflict do nothing`;
  const forgetters: (() => Promise<void>)[] = [];
  let checking: Promise<void> | undefined;

  async function read(): Promise<{ era: string; logId: string }> {
    const [row] = await sql<IdentityRow[]>`
      select ${eraOfLog(sql)} as era, log_id, (select system_identifier::text from pg_control_system()) as system,
        (select oid::text from pg_database where datname = current_database()) as database
      from log_identity`;
    const { era, log_id, system, database } = row!;
    const logId = createHash('sha256').update(`${log_id} ${system} ${era} ${database}`).digest('hex').slice(0, 32);
    return { era, logId };
  }

  let known = await read();
  const readOnce = coalesce(
    async (askers: readonly undefined[]) => {
      const { logId } = await read();
      return askers.map(() => logId);
    },
    { batchMax: Number.MAX_SAFE_INTEGER, gatherMs },
  );

  async function look(): Promise<void> {
    const now = await read();
    if (now.logId === known.logId) return;
    logger.error({ from: known.logId, to: now.logId }, 'the log was replaced by another; all clients begin anew');
    for (const forget of forgetters) await forget();
    known = now;
  }

  function check(): Promise<void> {
    checking ??= look().finally(() => {
      checking = undefined;
    });
    return checking;
  }

  const timer = setInterval(() => {
    check().catch((error: unknown) => logger.debug({ error }, 'the identity of the log could not be read'));
  }, settings.checkMs);

  return {
    logId: () => readOnce(undefined),
    era: () => known.era,
    check,
    onReplaced: (forget) => void forgetters.push(forget),
    stop: () => clearInterval(timer),
  };
}

/** The era as an expression over a row of `log_identity`. */
export function eraOfLog(sql: Sql) {
  return sql`(log_identity.xmin::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8))`;
}
