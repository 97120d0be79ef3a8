/**
 * The way into the log. Each room's work waits in its own line, in order; a lane takes messages from many rooms' lines
 * at once and commits them together. What gathers while a commit is on its way is the next batch, so an idle server
 * adds no wait and a busy one commits hundreds with one flush to disk.
 *
 * One lane is enough while a batch takes all that waits: two half batches cost more than a whole one. Another lane
 * starts when more waits than a batch should hold, or when the batches on their way take longer than usual, so that
 * whatever holds one up (a lock, a slow statement) holds up nobody else.
 *
 * A line is: waiting (work is there, nobody on it) → busy (a batch or one transaction of this room is on its way)
 * → waiting or empty. One room is never worked on twice at once, so its position is known when its turn comes.
 */

import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { ModeratedDraft, SendOutcome } from '../state/message-draft.ts';
import type { RoomState } from '../state/room-state.ts';

/** A message that waits for its commit. */
export interface PendingSend extends ModeratedDraft {
  readonly kind: 'send';
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Postgres may have seen it: its outcome is unknown until Postgres answers. */
  tried: boolean;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A transaction that appends to one room's log; it settles its own promise and never throws. */
export interface PendingTransaction {
  readonly kind: 'transaction';
  readonly deadlineMs: number;
  readonly run: (feed: Feed<RoomState>) => Promise<void>;
  readonly reject: (error: unknown) => void;
}

export type Pending = PendingSend | PendingTransaction;

export interface Line {
  readonly feed: Feed<RoomState>;
  items: Pending[];
  busy: boolean;
  queued: boolean;
}

export interface SendQueueSettings {
  readonly lanes: number;
  readonly batchMax: number;
  readonly perRoomMax: number;
  readonly sendQueueMax: number;
}

/** Takes at most this share of a batch from one room while others wait. */
const roomShare = 0.5;
/** A lane that commits this many is busy enough for another one beside it. */
const laneShare = 128;
/** A batch on its way for longer no longer keeps the next lane waiting. */
const laneWaitMs = 4;

export interface SendQueue {
  readonly push: (feed: Feed<RoomState>, item: Pending) => void;
  /** Puts work back to the front of its line, in order; the line stays busy. */
  readonly returnToLine: (line: Line, items: readonly PendingSend[]) => void;
  /** The same, and frees the line. */
  readonly putBack: (line: Line, items: readonly PendingSend[]) => void;
  /** The line's batch is done. */
  readonly release: (line: Line) => void;
  readonly size: () => number;
  /** Resolves when nothing waits and nothing is on its way. */
  readonly idle: () => Promise<void>;
  readonly stop: () => void;
}

/** One room's part of a batch. */
export interface Portion {
  readonly line: Line;
  readonly sends: readonly PendingSend[];
}

export function createSendQueue(
  settings: SendQueueSettings,
  commit: (lane: number, portions: readonly Portion[]) => Promise<void>,
): SendQueue {
  const lines = new Map<string, Line>();
  /** Lanes without a batch on its way. */
  const idleLanes = Array.from({ length: settings.lanes }, (_, lane) => lane);
  const readyLines: Line[] = [];
  let planned = false;
  let laneTimer: NodeJS.Timeout | undefined;
  let waiting = 0;
  let idleWaiters: (() => void)[] = [];

  function push(feed: Feed<RoomState>, item: Pending): void {
    let line = lines.get(feed.roomId);
    if (waiting >= settings.sendQueueMax || (line && line.items.length >= settings.perRoomMax)) {
      throw new Failure('unavailable', 'too many messages are waiting', { retryAfterMs: 500 });
    }
    if (!line) {
      line = { feed, items: [], busy: false, queued: false };
      lines.set(feed.roomId, line);
      feed.pins += 1;
    }
    line.items.push(item);
    waiting += 1;
    ready(line);
  }

  function ready(line: Line): void {
    if (line.busy || line.queued || line.items.length === 0) return;
    line.queued = true;
    readyLines.push(line);
    if (planned) return;
    planned = true;
    // What else arrives in this turn of the event loop joins the batch.
    setImmediate(() => {
      planned = false;
      startLanes(false);
    });
  }

  function startLanes(isLate: boolean): void {
    let late = isLate;
    while (readyLines.length > 0 && idleLanes.length > 0) {
      const isFirst = idleLanes.length === settings.lanes;
      if (!isFirst && !late && waiting < laneShare) {
        laneTimer ??= setTimeout(() => {
          laneTimer = undefined;
          startLanes(true);
        }, laneWaitMs);
        return;
      }
      late = false;
      void work(idleLanes.shift()!);
    }
  }

  async function work(lane: number): Promise<void> {
    const portions = gather(readyLines);
    try {
      if (portions.length > 0) await commit(lane, portions);
    } catch (error) {
      abandon(portions, error);
    }
    idleLanes.push(lane);
    startLanes(false);
    checkIdle();
  }

  /** `commit` settles its sends itself. If it throws, it has a bug: nobody knows what was stored, and the lane goes on. */
  function abandon(portions: readonly Portion[], cause: unknown): void {
    for (const { line, sends } of portions) {
      for (const item of sends) item.reject(new Failure('internal', 'a batch could not be settled', { cause }));
      release(line);
    }
  }

  /** Runs a transaction alone in its room. */
  async function runAlone(line: Line, transaction: PendingTransaction): Promise<void> {
    await transaction.run(line.feed).catch(transaction.reject);
    release(line);
  }

  function gather(queue: Line[]): Portion[] {
    const portions: Portion[] = [];
    let room = settings.batchMax;
    const lines = queue.splice(0);
    for (const [position, line] of lines.entries()) {
      if (room === 0) {
        queue.push(...lines.slice(position));
        break;
      }
      line.queued = false;
      const share = lines.length > 1 ? Math.max(1, Math.floor(settings.batchMax * roomShare)) : settings.batchMax;
      const sends = takeSends(line, Math.min(room, share));
      room -= sends.length;
      if (sends.length > 0) {
        line.busy = true;
        portions.push({ line, sends });
      }
    }
    return portions;
  }

  /** The sends at the front of a line, or none when a transaction stands there: that one is started. */
  function takeSends(line: Line, max: number): PendingSend[] {
    const first = line.items[0];
    if (first?.kind === 'transaction') {
      line.items.shift();
      waiting -= 1;
      line.busy = true;
      void runAlone(line, first);
      return [];
    }
    if (first?.kind === 'send' && line.items.length === 1) {
      line.items = [];
      waiting -= 1;
      return [first];
    }
    const keys = new Set<string>();
    const sends: PendingSend[] = [];
    for (const item of line.items) {
      if (item.kind !== 'send' || sends.length === max) break;
      // The same key twice: the second one waits for the first one's outcome.
      const key = `${item.actor.userId} ${item.clientId}`;
      if (keys.has(key)) break;
      keys.add(key);
      sends.push(item);
    }
    line.items.splice(0, sends.length);
    waiting -= sends.length;
    return sends;
  }

  function release(line: Line): void {
    line.busy = false;
    if (line.items.length > 0) {
      ready(line);
      return;
    }
    lines.delete(line.feed.roomId);
    line.feed.pins -= 1;
    checkIdle();
  }

  function returnToLine(line: Line, items: readonly PendingSend[]): void {
    line.items.unshift(...items);
    waiting += items.length;
  }

  function putBack(line: Line, items: readonly PendingSend[]): void {
    returnToLine(line, items);
    release(line);
  }

  /** What waited past its deadline was never sent to Postgres: a definite refusal. */
  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    for (const line of lines.values()) {
      if (!line.items.some((item) => item.deadlineMs < nowMs)) continue;
      const late = line.items.filter((item) => item.deadlineMs < nowMs);
      line.items = line.items.filter((item) => item.deadlineMs >= nowMs);
      waiting -= late.length;
      for (const item of late) {
        const tried = item.kind === 'send' && item.tried;
        item.reject(
          new Failure(tried ? 'outcome_unknown' : 'unavailable', 'the database did not answer in time', {
            retryAfterMs: 1000,
          }),
        );
      }
      if (!line.busy && line.items.length === 0) release(line);
    }
  }, 250);

  function checkIdle(): void {
    if (lines.size > 0) return;
    const waiters = idleWaiters;
    idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  return {
    push,
    returnToLine,
    putBack,
    release,
    size: () => waiting,
    idle: () => (lines.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
    stop: () => {
      clearInterval(sweeper);
      clearTimeout(laneTimer);
    },
  };
}
