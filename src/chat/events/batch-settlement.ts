/** Answers the sends of a batch that Postgres has answered, and announces what was stored. */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { Failure } from '../../errors.ts';
import type { LogEpoch } from '../../realtime/cluster/log-epoch.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { createdExtras } from '../state/message-draft.ts';
import { createdEventJson } from '../state/message-shape.ts';
import type { RoomState } from '../state/room-state.ts';
import type { AppendOutcome, RepeatedKey } from './append-statement.ts';
import type { ContendedRooms } from './contended-rooms.ts';
import type { QueuedSend } from './queued-send.ts';
import { pauseBeforeRetry } from './retry-pause.ts';
import type { Portion, RoomQueue, RoomQueues } from './room-queues.ts';

export interface BatchSettlementOptions {
  readonly hub: Pick<Hub<RoomState>, 'take' | 'announce' | 'catchUp'>;
  readonly queues: Pick<RoomQueues, 'release' | 'putBack'>;
  readonly epoch: Pick<LogEpoch, 'remember'>;
  readonly contended: Pick<ContendedRooms, 'note'>;
  readonly conflicts: Counter;
  readonly logger: Logger;
}

export interface BatchSettlement {
  readonly settle: (portions: readonly Portion[], outcome: AppendOutcome) => void;
}

export function createBatchSettlement(options: BatchSettlementOptions): BatchSettlement {
  const { hub, queues, epoch, contended, conflicts, logger } = options;

  function settle(portions: readonly Portion[], outcome: AppendOutcome): void {
    const announced = [];
    const at = new Date(outcome.atMs).toISOString();
    for (const { queue, sends } of portions) {
      const { roomId } = queue.feed;
      if (outcome.stored !== undefined && outcome.stored.get(roomId) !== sends.length) {
        retryUnstored(queue, sends, outcome.repeated);
        continue;
      }
      const events = sends.map((send) => ({ seq: send.seq, json: createdJson(send, at) }));
      const firstSeq = sends[0]!.seq;
      announced.push({ roomId, firstSeq, events: events.map((event) => event.json) });
      epoch.remember({ roomId, seq: firstSeq + sends.length - 1, atMs: outcome.atMs });
      // A head check may have read these events already. Taking them again does nothing.
      hub.take(roomId, events);
      for (const { messageId, seq, resolve } of sends)
        resolve({ messageId, seq, atMs: outcome.atMs, duplicate: false });
      queues.release(queue);
    }
    if (announced.length > 0) hub.announce(announced);
  }

  /** Nothing of the room was stored: a key was used before, or another instance took the seq. */
  function retryUnstored(queue: RoomQueue, sends: readonly QueuedSend[], repeated: readonly RepeatedKey[]): void {
    contended.note(queue.feed.roomId);
    const firstUses = new Map(repeated.map((each) => [each.triedId, each]));
    const left = sends.filter((send) => !answerRepeat(send, firstUses.get(send.messageId)));
    if (left.length < sends.length) queues.putBack(queue, left);
    else void retryAfterReading(queue, left);
  }

  async function retryAfterReading(queue: RoomQueue, sends: readonly QueuedSend[]): Promise<void> {
    conflicts.inc();
    await hub.catchUp(queue.feed).catch((error: unknown) => {
      logger.debug({ error, roomId: queue.feed.roomId }, 'catch-up after a conflict failed');
      return pauseBeforeRetry();
    });
    queues.putBack(queue, sends);
  }

  return { settle };
}

function createdJson(send: QueuedSend, at: string): string {
  return createdEventJson(
    {
      ...send,
      id: send.messageId,
      replyCount: 0,
      createdAt: at,
      editedAt: null,
      deletedAt: null,
      extras: createdExtras(send),
    },
    send.sender,
  );
}

/** @returns whether the send was answered: its key had been used, by an earlier try of ours or of the client's */
function answerRepeat(send: QueuedSend, first: RepeatedKey | undefined): boolean {
  if (!first) return false;
  const isOwn = first.messageId === send.messageId;
  if (isOwn || first.digest === send.digest)
    send.resolve({ messageId: first.messageId, seq: first.seq, atMs: first.atMs, duplicate: !isOwn });
  else send.reject(new Failure('conflict', 'this clientId was used for another message'));
  return true;
}
