/** The last check of a send, in the same tick in which its batch is built: docs/internals/send-admission.md. */
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { ModeratedDraft } from '../state/message-draft.ts';
import type { RoomState } from '../state/room-state.ts';
import type { RevocationHorizon } from './append-statement.ts';
import { type QueuedSend, unansweredFailure } from './queued-send.ts';

/** Logins that ended, as far as this instance knows. */
export type IsRevoked = (caller: {
  userId: string;
  sessionId: string | undefined;
  issuedAt?: number | undefined;
}) => boolean;

/** The same, with what an append compares with Postgres. */
export interface RevocationView {
  readonly horizon: () => RevocationHorizon;
  readonly sync: () => Promise<void>;
  readonly isRevoked: IsRevoked;
}

export interface AppendAuthority {
  /** Whether the send may be appended at the seq after the feed's position. If not, it has been refused. */
  readonly allow: (feed: Feed<RoomState>, send: QueuedSend) => boolean;
  /** The same for a message in a transaction of its own. @throws Failure */
  readonly require: (state: RoomState, draft: ModeratedDraft) => void;
}

export function createAppendAuthority({
  isRevoked,
  epoch,
  nowMs,
  admissionMs,
}: {
  readonly isRevoked: IsRevoked;
  /** The log as of now. */
  readonly epoch: () => string;
  /** Postgres' clock. */
  readonly nowMs: () => number;
  /** A send that is older gains no rights: see `message.admission`. */
  readonly admissionMs: number;
}): AppendAuthority {
  function requireAllowed(state: RoomState, send: ModeratedDraft): void {
    const { actor, sessionId, messageId, authorId } = send;
    if (isRevoked({ ...actor, sessionId })) throw new Failure('unauthenticated', 'this login has ended');
    if (mayHaveBeenRefused(state, send))
      throw new Failure('unavailable', 'the right to post has changed', { retryAfterMs: 500 });
    // Checked before every try: what another instance appended since the last one may have taken the right away.
    const now = nowMs();
    state.requirePost(actor, now, messageId);
    state.reservePost(authorId, { messageId, atMs: now });
  }

  /** Whether another instance may have refused a retry of the client for certain. Then the send is never stored. */
  function mayHaveBeenRefused(state: RoomState, send: ModeratedDraft): boolean {
    // Its author was muted or gone since the admission.
    if (send.epoch === epoch()) return state.barredUntilSeq(send.authorId) > send.allowedAt;
    // The log was replaced since, and does not tell what happened in the one before. As in an admission, a client that is
    // still there has not retried yet, if not much time has passed.
    return !send.isOpen() || performance.now() - send.admittedMs > admissionMs;
  }

  return {
    require: requireAllowed,
    allow: (feed, send) => {
      try {
        requireAllowed(feed.state, send);
        return true;
      } catch (error) {
        // A message that may be stored already is not refused for certain: a retry with its key finds out.
        send.reject(send.maybeStored ? unansweredFailure(true, error) : error);
        return false;
      }
    },
  };
}
