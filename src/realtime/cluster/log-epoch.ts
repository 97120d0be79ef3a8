/**
 * Names this incarnation of the log. The id (`logId`) changes when the log may have lost or rewritten something: the database
 * was restored, here or into another cluster, from a dump or from a snapshot of its files; or a standby took over (a new timeline).
 * A client that presents another id starts over, and an instance that finds another one forgets all that it remembers of rooms
 * and closes its sockets, so that their clients start over too.
 *
 * The *era* is what a statement compares at almost no cost: the transaction that wrote the row which names the log, the server's
 * timeline, and the run of the server. Every append names the era that its position is of. So a position of a lost log never
 * becomes a seq of the one in its place, and after a restart nothing is appended before log-adoption.ts has found the log complete.
 *
 * States: known (appends go on) → the era differs → adopting, where the run of the server is new → known under the old id;
 * or replaced: everything remembered is forgotten → known under the new id.
 */

import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import { createSingleFlight } from '../../concurrency/single-flight.ts';
import type { Sql } from '../../database/connect.ts';
import type { FreshnessBatch } from '../../database/freshness-batch.ts';
import { newId } from '../../database/new-id.ts';
import { Failure } from '../../errors.ts';
import { createAdoptServer } from './log-adoption.ts';
import type { LogMemories } from './log-memories.ts';
import {
  createLogWitnesses,
  epochOfLog,
  type KnownEvent,
  type LogMemory,
  logStamp,
  serverRun,
} from './log-witnesses.ts';

interface IdentityRow {
  readonly era: string;
  readonly stamp: string;
  readonly server: string;
  readonly adopted: string | null;
  readonly log_id: string;
  readonly system: string;
  readonly database: string;
}

/** The log as the database shows it. */
interface LogNow {
  readonly era: string;
  /** On the wire. */
  readonly logId: string;
  /** `log_identity.log_id`. */
  readonly rowId: string;
  readonly server: string;
  /** The run of the server that was adopted last. */
  readonly adopted: string | null;
  readonly database: string;
}

export interface LogEpoch {
  /** The log's id as of now; callers of one turn share a query. */
  readonly logId: () => Promise<string>;
  /** The id of the log that this instance's memory is of. */
  readonly knownLogId: () => string;
  /** The era of everything that this instance remembers. */
  readonly era: () => string;
  /** Looks now. Resolves when what was remembered of another log is forgotten. */
  readonly check: () => Promise<void>;
  /** This event was committed. */
  readonly remember: (event: KnownEvent) => void;
  /**
   * The room had come to `seq`, and Postgres does not show it. The log gets a new id unless the event is there after all.
   * Resolves when what was remembered is forgotten.
   */
  readonly suspect: (roomId: string, seq: number) => Promise<void>;
  /** What to do when the log was replaced; the era changes when it is done. It is repeated until it succeeds. */
  readonly onReplaced: (forget: () => Promise<void> | void) => void;
  readonly stop: () => Promise<void>;
}

export interface LogIdentitySettings {
  readonly checkMs: number;
  readonly restartWaitMs: number;
}

/** The newest commits that an instance remembers. One would do; several show more where two were made at once. */
const rememberedMax = 32;
const beatEveryMs = 2000;

export async function startLogEpoch({
  sql,
  look: sharedLook,
  memories,
  logger,
  settings,
}: {
  sql: Sql;
  look: FreshnessBatch;
  memories: LogMemories;
  logger: Logger;
  settings: LogIdentitySettings;
}): Promise<LogEpoch> {
  const witnesses = createLogWitnesses(sql);
  const adopt = createAdoptServer({ witnesses, memories, logger, settings });
  const forgetters: (() => Promise<void> | void)[] = [];
  let memory: LogMemory | undefined;
  let lastBeatMs = performance.now();

  await create(sql);
  let known = await readAdopted();
  await register(newId());

  async function readAdopted(): Promise<LogNow> {
    for (;;) {
      const now = await readLog(sql);
      if (now.adopted === now.server) return now;
      await adopt({ database: now.database, server: now.server, logId: now.rowId, own: memory });
    }
  }

  /** From here on this instance remembers what it sees of the log. */
  async function register(witness: string, beat = 0): Promise<void> {
    await witnesses.register(witness, beat);
    memory = { witness, logId: known.rowId, database: known.database, beat, events: [] };
    memories.keep(memory);
  }

  async function look(): Promise<void> {
    const seen = await readLog(sql);
    if (seen.era === known.era && seen.logId === known.logId) return;
    const now = await readAdopted();
    if (now.logId !== known.logId) {
      logger.error({ from: known.logId, to: now.logId }, 'the log was replaced by another; all clients begin anew');
      for (const forget of forgetters) await forget();
      known = now;
      await register(memory!.witness, memory!.beat + 1);
    } else {
      logger.info('Postgres was restarted; the log is complete');
      known = now;
    }
  }

  const checks = createSingleFlight(look);
  const check = checks.share;

  async function beat(): Promise<void> {
    const { witness, beat: last } = memory!;
    lastBeatMs = performance.now();
    if (await witnesses.beat(witness, last + 1, known.era)) {
      memory = { ...memory!, beat: last + 1 };
      memories.keep(memory);
      return;
    }
    // Another era, or the row was tidied away while this process stood still.
    await check();
    await register(witness, last + 1);
  }

  async function tick(): Promise<void> {
    await check();
    if (performance.now() - lastBeatMs >= beatEveryMs) await beat();
  }

  async function suspect(roomId: string, seq: number): Promise<void> {
    const [found] = await sql`select 1 from events where room_id = ${roomId} and seq = ${seq}`;
    if (!found) {
      const { rowId, server, logId } = known;
      const isNew = await witnesses.renew({ from: rowId, to: randomUUID(), server });
      if (isNew) logger.error({ logId, roomId, seq }, 'an event is missing that was committed; the log gets a new id');
    }
    await check();
  }

  const logIdOnce = coalesce(
    async (askers: readonly undefined[]) => {
      await check();
      return askers.map(() => known.logId);
    },
    { batchMax: Number.MAX_SAFE_INTEGER, gatherMs },
  );
  sharedLook.add<undefined, void>({
    column: () => sql`(select to_json(${epochOfLog(sql)}) from log_identity)`,
    before: (era) => (era === known.era ? undefined : check()),
    take: () => () => undefined,
  });
  const timer = setInterval(() => {
    tick().catch((error: unknown) => logger.debug({ error }, 'the identity of the log could not be read'));
  }, settings.checkMs);

  return {
    logId: () => logIdOnce(undefined),
    knownLogId: () => known.logId,
    era: () => known.era,
    check,
    remember: (event) => {
      memory = { ...memory!, events: [...memory!.events.slice(1 - rememberedMax), event] };
      memories.keep(memory);
    },
    suspect,
    onReplaced: (forget) => void forgetters.push(forget),
    stop: async () => {
      clearInterval(timer);
      await checks.settled();
      await witnesses.end(memory!.witness).catch((error: unknown) => logger.debug({ error }, 'witness not ended'));
      await memories.stop();
    },
  };
}

/** Names a log that has no name yet: nobody knew it before, so the present run of the server is adopted with it. */
async function create(sql: Sql): Promise<void> {
  await sql`
    with created as (
      insert into log_identity (singleton, log_id) values (true, ${randomUUID()}) on conflict do nothing returning 1
    )
    insert into log_server (singleton, started_at) select true, ${sql.unsafe(serverRun)} from created
    on conflict (singleton) do update set started_at = excluded.started_at, adopted_at = now()`;
}

async function readLog(sql: Sql): Promise<LogNow> {
  const [row] = await sql<IdentityRow[]>`
    select ${epochOfLog(sql)} as era, ${sql.unsafe(logStamp)} as stamp, ${sql.unsafe(serverRun)} as server,
      (select started_at from log_server) as adopted, log_id, (select system_identifier::text from pg_control_system()) as system,
      (select oid::text from pg_database where datname = current_database()) as database
    from log_identity`;
  if (!row) throw new Failure('unavailable', 'the database is being restored', { retryAfterMs: 1000 });
  const { era, stamp, log_id, system, database, server, adopted } = row;
  const logId = createHash('sha256').update(`${log_id} ${system} ${stamp} ${database}`).digest('hex').slice(0, 32);
  return { era, logId, rowId: log_id, server, adopted, database: `${system} ${database}` };
}
