/**
 * Recovers a batch whose statement failed: docs/internals/group-commit.md, "What an error means". Sends are tried
 * again until their deadlines pass. A message that Postgres refuses for good is isolated by halving the batch.
 */
import type { Logger } from 'pino';
import { isTornBatch, isUniqueViolation, type LinkLoss, linkLoss } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import type { Outage } from '../../logger/outages.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { RoomState } from '../state/room-state.ts';
import type { ContendedRooms } from './contended-rooms.ts';
import { type QueuedSend, unansweredFailure } from './queued-send.ts';
import { pauseBeforeRetry, retryPauseMs } from './retry-pause.ts';
import type { Portion, RoomQueues } from './room-queues.ts';

export interface BatchRecoveryOptions {
  readonly hub: Pick<Hub<RoomState>, 'catchUp'>;
  readonly queues: Pick<RoomQueues, 'release' | 'returnToFront' | 'putBack'>;
  readonly contended: Pick<ContendedRooms, 'note'>;
  /** Of the database. */
  readonly outage: Pick<Outage, 'failed'>;
  readonly logger: Logger;
}

export interface BatchRecovery {
  /** @returns the parts of the batch to commit now, one after another; the other sends are settled or queued again */
  readonly recover: (portions: readonly Portion[], error: unknown) => Promise<readonly (readonly Portion[])[]>;
}

/** A send that is due sooner is not tried again. */
const lastTryMs = 200;

export function createBatchRecovery(options: BatchRecoveryOptions): BatchRecovery {
  const { hub, queues, contended, outage, logger } = options;

  async function recover(portions: readonly Portion[], error: unknown): Promise<readonly (readonly Portion[])[]> {
    // No connection was free in time, so nothing was sent.
    const isUnsent = error instanceof Failure && error.code === 'unavailable';
    const loss = isUnsent ? 'never-connected' : linkLoss(error);
    if (!isUnsent && (loss === 'never-connected' || loss === 'in-flight')) outage.failed(error);
    else logger.warn({ error: (error as Error).message }, 'a batch failed and is tried again');
    const isRefused = loss === undefined && !isTornBatch(error) && !isUniqueViolation(error);
    // A room that is locked, or a row that makes the statement slow, must not hold up the other rooms.
    if (isRefused || (loss === 'rolled-back' && portions.length > 1)) return split(portions, error);
    await Promise.all(portions.map((portion) => retryPortion(portion, loss, error)));
    // Conflicts are retried at once. A database that is away is not asked again in a busy loop.
    if (loss === 'never-connected' || loss === 'in-flight') await pauseBeforeRetry();
    return [];
  }

  async function retryPortion({ queue, sends }: Portion, loss: LinkLoss | undefined, error: unknown): Promise<void> {
    const left = refuseLate(sends, loss, error);
    if (loss === undefined)
      await hub.catchUp(queue.feed).catch((cause: unknown) => logger.debug({ cause }, 'catch-up failed'));
    if (loss === 'rolled-back') {
      // Only this room waits: the connection goes on with others, and this one stays out of their statement for a while.
      contended.note(queue.feed.roomId);
      setTimeout(() => queues.putBack(queue, left), retryPauseMs());
    } else queues.putBack(queue, left);
  }

  /** Halves of the batch, or the first message of a single room. A single message is refused. */
  function split(portions: readonly Portion[], error: unknown): readonly (readonly Portion[])[] {
    const [first] = portions;
    if (!first) return [];
    if (portions.length > 1) {
      const middle = Math.ceil(portions.length / 2);
      return [portions.slice(0, middle), portions.slice(middle)];
    }
    if (first.sends.length > 1) {
      queues.returnToFront(first.queue, first.sends.slice(1));
      return [[{ queue: first.queue, sends: first.sends.slice(0, 1) }]];
    }
    for (const send of first.sends) send.reject(send.maybeStored ? unansweredFailure(true, error) : error);
    queues.release(first.queue);
    return [];
  }

  return { recover };
}

/** Refuses the sends whose time is over. @returns the others */
function refuseLate(sends: readonly QueuedSend[], loss: LinkLoss | undefined, error: unknown): QueuedSend[] {
  const lastMs = performance.now() + lastTryMs;
  return sends.filter((send) => {
    // Once a try was in flight the outcome stays unknown until Postgres answers, whatever becomes of later tries.
    if (loss === 'in-flight') send.maybeStored = true;
    if (send.deadlineMs > lastMs) return true;
    send.reject(unansweredFailure(send.maybeStored, error));
    return false;
  });
}
