/**
 * Names this incarnation of the log, and notices when it is replaced. See docs/internals/log-epochs.md.
 *
 * `logId` changes when the log may have lost or rewritten an event: a restore, a standby that takes over. The epoch changes also with
 * each restart of Postgres. Every append compares the epoch that its position belongs to, so a position in a lost log never becomes a
 * seq in another one.
 *
 * States: known (appends go on) → differs (the epoch in Postgres is another one; nothing is appended) → known, under the old id when
 * the log was found complete (log-adoption.ts); or replaced: what was remembered is forgotten → known, under the new id.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import { createSingleFlight } from '../../concurrency/single-flight.ts';
import type { Sql } from '../../database/connect.ts';
import type { FreshnessBatch } from '../../database/freshness-batch.ts';
import { createAdoptServer } from './log-adoption.ts';
import type { LogMemories } from './log-memories.ts';
import { epochOfLog, type LogNow, nameLog, readLog } from './log-row.ts';
import { createLogWitnesses, type KnownEvent } from './log-witnesses.ts';
import { createOwnWitness } from './own-witness.ts';

export interface LogEpoch {
  /** The log's id as of now. Calls at the same time share a query. */
  readonly logId: () => Promise<string>;
  /** The id of the log that this instance's memory belongs to. */
  readonly knownLogId: () => string;
  /** The epoch that everything in this instance's memory belongs to. */
  readonly epoch: () => string;
  /** Reads the epoch now. Resolves when everything of another log is forgotten. */
  readonly check: () => Promise<void>;
  /** This event was committed. */
  readonly remember: (event: KnownEvent) => void;
  /**
   * The room had reached `seq`, and Postgres does not show that event. The log gets a new id unless the event is there after all.
   * Resolves when everything of the old log is forgotten.
   */
  readonly suspect: (roomId: string, seq: number) => Promise<void>;
  /** @param forget called when the log was replaced. The epoch changes after all of these have succeeded; until then they are repeated */
  readonly onReplaced: (forget: () => Promise<void> | void) => void;
  readonly stop: () => Promise<void>;
}

export interface LogEpochSettings {
  readonly checkMs: number;
  readonly restartWaitMs: number;
}

export async function startLogEpoch({
  sql,
  look: freshness,
  memories,
  logger,
  settings,
}: {
  sql: Sql;
  look: FreshnessBatch;
  memories: LogMemories;
  logger: Logger;
  settings: LogEpochSettings;
}): Promise<LogEpoch> {
  const witnesses = createLogWitnesses(sql);
  const adopt = createAdoptServer({ witnesses, memories, logger, settings });
  const own = createOwnWitness({ witnesses, memories });
  const forgetters: (() => Promise<void> | void)[] = [];

  await nameLog(sql);
  let known = await readAdopted();
  await own.register(known);

  async function readAdopted(): Promise<LogNow> {
    for (;;) {
      const now = await readLog(sql);
      if (now.adopted === now.server) return now;
      await adopt({ database: now.database, server: now.server, logId: now.rowId, own: own.memory() });
    }
  }

  async function compare(): Promise<void> {
    const seen = await readLog(sql);
    if (seen.epoch === known.epoch && seen.logId === known.logId) return;
    const now = await readAdopted();
    if (now.logId === known.logId) {
      logger.info('Postgres was restarted; the log is complete');
      known = now;
      return;
    }
    logger.error({ from: known.logId, to: now.logId }, 'the log was replaced by another one; all clients start over');
    for (const forget of forgetters) await forget();
    // Only now: an append must not pair an old position with the new epoch.
    known = now;
    await own.register(known);
  }

  const checks = createSingleFlight(compare);
  const check = checks.share;

  async function checkAndBeat(): Promise<void> {
    await check();
    if (!own.isBeatDue() || (await own.beat(known.epoch))) return;
    // The epoch is another one, or the row was tidied away during a process pause.
    await check();
    await own.register(known);
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

  const sharedLogId = coalesce(
    async (callers: readonly undefined[]) => {
      await check();
      return callers.map(() => known.logId);
    },
    { batchMax: Number.MAX_SAFE_INTEGER, gatherMs },
  );
  freshness.add<undefined, void>({
    column: () => sql`(select to_json(${epochOfLog(sql)}) from log_identity)`,
    before: (epoch) => (epoch === known.epoch ? undefined : check()),
    take: () => () => undefined,
  });
  // Not a poller: a slow beat must not delay the next check. Checks themselves run one at a time.
  const timer = setInterval(() => {
    checkAndBeat().catch((error: unknown) => logger.debug({ error }, 'the log epoch could not be read'));
  }, settings.checkMs);

  return {
    logId: () => sharedLogId(undefined),
    knownLogId: () => known.logId,
    epoch: () => known.epoch,
    check,
    remember: own.remember,
    suspect,
    onReplaced: (forget) => void forgetters.push(forget),
    stop: async () => {
      clearInterval(timer);
      await checks.settled();
      await own.end().catch((error: unknown) => logger.debug({ error }, 'witness not ended'));
      await memories.stop();
    },
  };
}
