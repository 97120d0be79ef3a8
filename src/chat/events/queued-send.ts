/** Work that waits in a room's queue for its commit. */
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { ModeratedDraft, SendOutcome } from '../state/message-draft.ts';
import type { RoomState } from '../state/room-state.ts';

/** A message that waits for its commit. */
export interface QueuedSend extends ModeratedDraft {
  readonly kind: 'send';
  /** Of the current try; 0 before the first. The batch that holds the send sets it. */
  seq: number;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** A try was lost on its way: the message may be stored. Stays true until Postgres answers. */
  maybeStored: boolean;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A transaction that appends to one room's log. `run` settles its own promise and never throws. */
export interface QueuedTransaction {
  readonly kind: 'transaction';
  readonly deadlineMs: number;
  readonly run: (feed: Feed<RoomState>) => Promise<void>;
  readonly reject: (error: unknown) => void;
}

export type QueuedWork = QueuedSend | QueuedTransaction;

/** A send that was never in flight is refused for certain. One that may be stored gets `outcome_unknown`. */
export function unansweredFailure(maybeStored: boolean, cause?: unknown): Failure {
  const code = maybeStored ? 'outcome_unknown' : 'unavailable';
  return new Failure(code, 'the database did not answer in time', { cause, retryAfterMs: 1000 });
}
