/**
 * Commits one batch: checks each author's right as of the room's position, numbers the messages, stores them in one
 * statement, and answers them. `batch-settlement.ts` handles what Postgres answers, `batch-recovery.ts` what fails.
 */
import type { Logger } from 'pino';
import type { Histogram } from 'prom-client';
import { isUniqueViolation, logLevelOf } from '../../database/database-errors.ts';
import type { LogEpoch } from '../../realtime/cluster/log-epoch.ts';
import type { AppendAuthority } from './append-authority.ts';
import { type AppendOutcome, appendCarefully, appendFresh, type RevocationHorizon } from './append-statement.ts';
import type { BatchRecovery } from './batch-recovery.ts';
import type { BatchSettlement } from './batch-settlement.ts';
import type { CommitConnection } from './commit-connection.ts';
import type { ContendedRooms } from './contended-rooms.ts';
import type { MailJobsDue } from './mail-jobs-due.ts';
import type { PostgresClock } from './postgres-clock.ts';
import type { QueuedSend } from './queued-send.ts';
import { pauseBeforeRetry } from './retry-pause.ts';
import type { Portion, RoomQueues } from './room-queues.ts';

export interface BatchCommitOptions {
  readonly queues: Pick<RoomQueues, 'release' | 'putBack'>;
  readonly authority: Pick<AppendAuthority, 'allow'>;
  readonly settlement: BatchSettlement;
  readonly recovery: BatchRecovery;
  readonly contended: Pick<ContendedRooms, 'has'>;
  readonly mailJobs: Pick<MailJobsDue, 'missing' | 'added'>;
  readonly clock: PostgresClock;
  readonly revocations: { readonly horizon: () => RevocationHorizon; readonly sync: () => Promise<void> };
  readonly epoch: Pick<LogEpoch, 'epoch' | 'check' | 'suspect'>;
  readonly metrics: { readonly batches: Histogram; readonly commitSeconds: Histogram };
  readonly logger: Logger;
  readonly settings: {
    readonly mailDelayMs: number | undefined;
    readonly lockTimeoutMs: number | undefined;
    readonly previews: boolean;
  };
}

/** Settles every send of the batch, and releases its queues. */
export type CommitBatch = (connection: CommitConnection, portions: readonly Portion[]) => Promise<void>;

export function createBatchCommit(options: BatchCommitOptions): CommitBatch {
  const { queues, authority, contended, mailJobs, clock, revocations, epoch, metrics, logger, settings } = options;

  async function commit(connection: CommitConnection, portions: readonly Portion[]): Promise<void> {
    const allowed = portions.map(checkAndNumber).filter(({ sends }) => sends.length > 0);
    // In ascending order of rooms: two instances that write the same rooms wait for each other in one direction only.
    allowed.sort((left, right) => (left.queue.feed.roomId < right.queue.feed.roomId ? -1 : 1));
    const isContended = ({ queue }: Portion) => contended.has(queue.feed.roomId);
    // Two statements, pipelined on the connection: a contended room does not make the others' statement dearer.
    await Promise.all([
      store(
        connection,
        allowed.filter((portion) => !isContended(portion)),
        appendFresh,
      ),
      store(connection, allowed.filter(isContended), appendCarefully),
    ]);
  }

  /** In one tick with the statement: nothing is awaited between the check and the append. */
  function checkAndNumber({ queue, sends }: Portion): Portion {
    const allowed = sends.filter((send) => authority.allow(queue.feed, send));
    for (const [index, send] of allowed.entries()) send.seq = queue.feed.position + 1 + index;
    if (allowed.length === 0) queues.release(queue);
    return { queue, sends: allowed };
  }

  async function store(
    connection: CommitConnection,
    portions: readonly Portion[],
    append: typeof appendFresh,
  ): Promise<void> {
    if (portions.length === 0) return;
    const rows = portions.flatMap(({ sends }) => sends);
    const mailRooms = mailJobs.missing(portions.map(({ queue }) => queue.feed.roomId));
    const { mailDelayMs = 0, lockTimeoutMs, previews } = settings;
    const view = { horizon: revocations.horizon(), epoch: epoch.epoch() };
    metrics.batches.observe(rows.length);
    const startedMs = performance.now();
    let outcome: AppendOutcome;
    try {
      outcome = await connection.run((sql) =>
        append(sql, { rows, view, mailRooms, mailDelayMs, lockTimeoutMs, previews }),
      );
    } catch (error) {
      if (append === appendFresh && isUniqueViolation(error, 'events'))
        return store(connection, portions, appendCarefully);
      for (const part of await options.recovery.recover(portions, error)) await commit(connection, part);
      return;
    }
    metrics.commitSeconds.observe((performance.now() - startedMs) / 1000);
    clock.adjust(outcome.atMs, startedMs);
    if (outcome.stale || outcome.replaced || outcome.orphaned !== undefined) {
      await updateView(outcome, rows);
      for (const { queue, sends } of portions) queues.putBack(queue, sends);
      return;
    }
    options.settlement.settle(portions, outcome);
    if (outcome.stored === undefined) mailJobs.added(mailRooms, outcome.atMs);
  }

  /** Nothing was stored because of something that this instance does not know yet: it is read now. */
  async function updateView({ replaced, orphaned }: AppendOutcome, rows: readonly QueuedSend[]): Promise<void> {
    try {
      const first = rows.find(({ roomId }) => roomId === orphaned);
      if (replaced) await epoch.check();
      else if (first) await epoch.suspect(first.roomId, first.seq - 1);
      else await revocations.sync();
    } catch (error) {
      logger[logLevelOf(error)]({ error }, 'what an append rests on could not be read again');
      await pauseBeforeRetry();
    }
  }

  return commit;
}
