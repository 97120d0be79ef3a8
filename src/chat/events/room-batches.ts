/**
 * Gathers small changes of the same room and appends them in one transaction, so that many people who react at once do
 * not take a commit each. While a transaction of the room is under way, or waits for its place in the room's queue,
 * further changes wait here and share the next one. They keep the order of their arrival, and each is answered for itself.
 */
import { Failure } from '../../errors.ts';
import type { EventLog } from './event-log.ts';
import type { DraftEvent } from './event-repository.ts';
import type { AppendContext } from './planned-append.ts';

/** Of one change: the seq that holds it, or why it was refused. */
export type ChangeOutcome = number | Failure;

export interface PlannedBatch {
  readonly events: readonly DraftEvent[];
  /** One for each change, in their order. */
  readonly outcomes: readonly ChangeOutcome[];
}

/** Decides by the context alone, as `EventLog.transact` requires, and writes through its `tx`. */
export type PlanBatch<Change> = (context: AppendContext, changes: readonly Change[]) => Promise<PlannedBatch>;

export interface RoomBatchesSettings {
  /** Changes of one transaction. */
  readonly batchMax: number;
  /** Changes that wait in one room; more are refused. */
  readonly perRoomMax: number;
  /** Changes that wait in all rooms; more are refused. */
  readonly waitingMax: number;
  /** A change that waits longer is refused, in milliseconds. */
  readonly waitMs: number;
}

export interface RoomBatches<Change> {
  /**
   * Changes of one caller keep the order of the calls.
   * @returns the seq that holds the change
   * @throws Failure of the plan, `unavailable` at the bounds, `outcome_unknown`
   */
  readonly add: (roomId: string, change: Change) => Promise<{ seq: number }>;
}

interface Waiting<Change> {
  readonly change: Change;
  readonly untilMs: number;
  readonly resolve: (answer: { seq: number }) => void;
  readonly reject: (error: unknown) => void;
}

export function createRoomBatches<Change>({
  eventLog,
  plan,
  settings,
}: {
  readonly eventLog: Pick<EventLog, 'transact'>;
  readonly plan: PlanBatch<Change>;
  readonly settings: RoomBatchesSettings;
}): RoomBatches<Change> {
  /** A room has an entry as long as its changes are worked on. */
  const rooms = new Map<string, Waiting<Change>[]>();
  let waiting = 0;

  function add(roomId: string, change: Change): Promise<{ seq: number }> {
    const known = rooms.get(roomId);
    if (waiting >= settings.waitingMax || (known && known.length >= settings.perRoomMax))
      throw new Failure('unavailable', 'too many changes are waiting', { retryAfterMs: 500 });
    return new Promise((resolve, reject) => {
      const item = { change, untilMs: performance.now() + settings.waitMs, resolve, reject };
      waiting += 1;
      if (known) known.push(item);
      else {
        const queue = [item];
        rooms.set(roomId, queue);
        void work(roomId, queue);
      }
    });
  }

  async function work(roomId: string, queue: Waiting<Change>[]): Promise<void> {
    while (queue.length > 0) await runBatch(roomId, queue);
    rooms.delete(roomId);
  }

  async function runBatch(roomId: string, queue: Waiting<Change>[]): Promise<void> {
    let batch: readonly Waiting<Change>[] | undefined;
    try {
      const { answer } = await eventLog.transact(roomId, async (context) => {
        // Taken when the room's queue has come to it. When the append is tried again, its batch stays the same.
        batch ??= take(queue, settings.batchMax);
        const { events, outcomes } = await plan(
          context,
          batch.map(({ change }) => change),
        );
        return { events, answer: outcomes };
      });
      for (const [index, outcome] of answer.entries()) settle(batch![index]!, outcome);
    } catch (error) {
      // Refused before it began: the others would wait for the same.
      batch ??= take(queue, Number.POSITIVE_INFINITY);
      for (const { reject } of batch) reject(error);
    }
  }

  /** Removes changes from the front. Those that have waited for too long are refused, and not among them. */
  function take(queue: Waiting<Change>[], max: number): Waiting<Change>[] {
    const nowMs = performance.now();
    const taken = queue.splice(0, max);
    waiting -= taken.length;
    return taken.filter(({ untilMs, reject }) => {
      if (untilMs < nowMs) reject(new Failure('unavailable', 'no answer in time', { retryAfterMs: 1000 }));
      return untilMs >= nowMs;
    });
  }

  return { add };
}

function settle<Change>({ resolve, reject }: Waiting<Change>, outcome: ChangeOutcome): void {
  if (outcome instanceof Failure) reject(outcome);
  else resolve({ seq: outcome });
}
