/**
 * The queue of each room's work, in order of arrival: messages, and transactions that change the room.
 *
 * A queue is: waiting (it has work, and nothing of the room is on its way) → busy (a batch or one transaction of the
 * room is on its way) → waiting or empty. A room is never in two batches at once, so its position is known when its
 * batch is built.
 */
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { RoomState } from '../state/room-state.ts';
import { type QueuedSend, type QueuedTransaction, type QueuedWork, unansweredFailure } from './queued-send.ts';

export interface RoomQueue {
  readonly feed: Feed<RoomState>;
  items: QueuedWork[];
  busy: boolean;
  /** It is in the list of queues that a batch takes from. */
  ready: boolean;
}

/** One room's part of a batch. */
export interface Portion {
  readonly queue: RoomQueue;
  readonly sends: readonly QueuedSend[];
}

export interface RoomQueuesSettings {
  /** Messages of one batch. */
  readonly batchMax: number;
  /** Work waiting in one room; more is refused. */
  readonly perRoomMax: number;
  /** Work waiting in all rooms; more is refused. */
  readonly sendQueueMax: number;
}

export interface RoomQueues {
  /** @throws Failure `unavailable` at the bounds */
  readonly push: (feed: Feed<RoomState>, work: QueuedWork) => void;
  /** Whether a batch would take something. */
  readonly hasReady: () => boolean;
  /** Takes the front of the ready queues, which are busy from then on. Starts the transactions at the front of theirs. */
  readonly takeBatch: () => Portion[];
  /** Puts sends back to the front of their queue, in order. The queue stays busy. */
  readonly returnToFront: (queue: RoomQueue, sends: readonly QueuedSend[]) => void;
  /** The room's part of a batch is done: its queue is ready again, or gone. */
  readonly release: (queue: RoomQueue) => void;
  /** `returnToFront`, then `release`: the sends are tried again. */
  readonly putBack: (queue: RoomQueue, sends: readonly QueuedSend[]) => void;
  readonly waiting: () => number;
  /** Resolves when nothing waits and nothing is on its way. */
  readonly idle: () => Promise<void>;
  readonly stop: () => void;
}

/** While several rooms wait, one room gets at most this share of a batch. */
const roomShare = 0.5;
const expiryCheckMs = 250;

/** @param onReady a queue has become ready. Called synchronously. */
export function createRoomQueues(settings: RoomQueuesSettings, onReady: () => void): RoomQueues {
  const queues = new Map<string, RoomQueue>();
  let readyQueues: RoomQueue[] = [];
  let waiting = 0;
  const idleWaiters: (() => void)[] = [];

  function push(feed: Feed<RoomState>, work: QueuedWork): void {
    let queue = queues.get(feed.roomId);
    if (waiting >= settings.sendQueueMax || (queue && queue.items.length >= settings.perRoomMax)) {
      throw new Failure('unavailable', 'too many messages are waiting', { retryAfterMs: 500 });
    }
    if (!queue) {
      queue = { feed, items: [], busy: false, ready: false };
      queues.set(feed.roomId, queue);
      feed.pins += 1;
    }
    queue.items.push(work);
    waiting += 1;
    makeReady(queue);
  }

  function makeReady(queue: RoomQueue): void {
    if (queue.busy || queue.ready || queue.items.length === 0) return;
    queue.ready = true;
    readyQueues.push(queue);
    onReady();
  }

  function takeBatch(): Portion[] {
    const portions: Portion[] = [];
    const taken = readyQueues;
    readyQueues = [];
    const share = taken.length > 1 ? Math.max(1, Math.floor(settings.batchMax * roomShare)) : settings.batchMax;
    let left = settings.batchMax;
    for (const [position, queue] of taken.entries()) {
      if (left === 0) {
        readyQueues.push(...taken.slice(position));
        break;
      }
      queue.ready = false;
      const sends = takeSends(queue, Math.min(left, share));
      left -= sends.length;
      if (sends.length > 0) {
        queue.busy = true;
        portions.push({ queue, sends });
      }
    }
    return portions;
  }

  /** The sends at the front of a queue. None when a transaction is at the front: that is started. */
  function takeSends(queue: RoomQueue, max: number): QueuedSend[] {
    const first = queue.items[0];
    if (first?.kind === 'transaction') {
      queue.items.shift();
      waiting -= 1;
      queue.busy = true;
      void runAlone(queue, first);
      return [];
    }
    const sends = first && queue.items.length === 1 ? [first] : sendsAtFront(queue.items, max);
    queue.items.splice(0, sends.length);
    waiting -= sends.length;
    return sends;
  }

  async function runAlone(queue: RoomQueue, transaction: QueuedTransaction): Promise<void> {
    await transaction.run(queue.feed).catch(transaction.reject);
    release(queue);
  }

  function release(queue: RoomQueue): void {
    queue.busy = false;
    if (queue.items.length > 0) {
      makeReady(queue);
      return;
    }
    queues.delete(queue.feed.roomId);
    queue.feed.pins -= 1;
    if (queues.size === 0) for (const resolve of idleWaiters.splice(0)) resolve();
  }

  function returnToFront(queue: RoomQueue, sends: readonly QueuedSend[]): void {
    queue.items.unshift(...sends);
    waiting += sends.length;
  }

  function putBack(queue: RoomQueue, sends: readonly QueuedSend[]): void {
    returnToFront(queue, sends);
    release(queue);
  }

  function refuseExpired(): void {
    const nowMs = performance.now();
    for (const queue of queues.values()) {
      const expired = queue.items.filter((work) => work.deadlineMs < nowMs);
      if (expired.length === 0) continue;
      queue.items = queue.items.filter((work) => work.deadlineMs >= nowMs);
      waiting -= expired.length;
      for (const work of expired) work.reject(unansweredFailure(work.kind === 'send' && work.maybeStored));
      if (!queue.busy && queue.items.length === 0) release(queue);
    }
  }

  const expiryTimer = setInterval(refuseExpired, expiryCheckMs);

  return {
    push,
    hasReady: () => readyQueues.length > 0,
    takeBatch,
    returnToFront,
    release,
    putBack,
    waiting: () => waiting,
    idle: () => (queues.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
    stop: () => clearInterval(expiryTimer),
  };
}

/** Stops at a transaction, and at a key that is in the list already: a repeat waits for the first one's outcome. */
function sendsAtFront(items: readonly QueuedWork[], max: number): QueuedSend[] {
  const keys = new Set<string>();
  const sends: QueuedSend[] = [];
  for (const work of items) {
    if (work.kind !== 'send' || sends.length === max) break;
    const key = `${work.authorId} ${work.clientId}`;
    if (keys.has(key)) break;
    keys.add(key);
    sends.push(work);
  }
  return sends;
}
