/**
 * Decides when the next batch leaves, and over which commit connection. Work that arrives while a commit is on its way is
 * the next batch, so an idle server adds no wait and a busy one commits hundreds of messages with one flush to disk.
 *
 * One connection is enough while a batch takes all that waits: two half batches cost more than a whole one. Another
 * connection starts when more waits than a batch should hold, or when the batches on their way take longer than usual,
 * so that a lock or a slow statement holds up only its own batch.
 */
import { Failure } from '../../errors.ts';
import type { Portion, RoomQueues } from './room-queues.ts';

/** This much waiting work is worth another connection beside the busy ones. */
const waitingForAnother = 128;
/** A batch that is on its way for longer no longer keeps the next connection from starting. */
const slowBatchMs = 4;

export interface CommitScheduler {
  /** Starts a batch at the end of this tick, if a connection is free. */
  readonly plan: () => void;
  readonly stop: () => void;
}

export function createCommitScheduler<Connection>({
  queues,
  connections,
  commit,
}: {
  queues: Pick<RoomQueues, 'hasReady' | 'takeBatch' | 'waiting' | 'release'>;
  connections: readonly Connection[];
  /** Settles every send of the batch and releases its queues. Never throws unless it has a bug. */
  commit: (connection: Connection, portions: readonly Portion[]) => Promise<void>;
}): CommitScheduler {
  const idle = [...connections];
  let planned = false;
  let slowTimer: NodeJS.Timeout | undefined;

  function plan(): void {
    if (planned) return;
    planned = true;
    // Not at once: all work that arrives in this tick joins the batch.
    setImmediate(() => {
      planned = false;
      startBatches();
    });
  }

  /** @param isSlow the batches on their way are slow: start another one beside them */
  function startBatches(isSlow = false): void {
    let mayStart = isSlow;
    while (queues.hasReady() && idle.length > 0) {
      const isFirst = idle.length === connections.length;
      if (!isFirst && !mayStart && queues.waiting() < waitingForAnother) {
        slowTimer ??= setTimeout(() => {
          slowTimer = undefined;
          startBatches(true);
        }, slowBatchMs);
        return;
      }
      mayStart = false;
      void runBatch(idle.shift()!);
    }
  }

  async function runBatch(connection: Connection): Promise<void> {
    const portions = queues.takeBatch();
    try {
      if (portions.length > 0) await commit(connection, portions);
    } catch (error) {
      abandon(portions, error);
    }
    idle.push(connection);
    startBatches();
  }

  /** `commit` has a bug: nobody knows what was stored, and the connection goes on. */
  function abandon(portions: readonly Portion[], cause: unknown): void {
    for (const { queue, sends } of portions) {
      for (const send of sends) send.reject(new Failure('internal', 'a batch could not be settled', { cause }));
      queues.release(queue);
    }
  }

  return { plan, stop: () => clearTimeout(slowTimer) };
}
