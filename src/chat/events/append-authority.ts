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
}: {
  readonly isRevoked: IsRevoked;
  /** The log as of now. */
  readonly epoch: () => string;
  /** Postgres' clock. */
  readonly nowMs: () => number;
}): AppendAuthority {
  function requireAllowed(state: RoomState, send: ModeratedDraft): void {
    const { actor, sessionId, messageId, authorId } = send;
    if (isRevoked({ ...actor, sessionId })) throw new Failure('unauthenticated', 'this login has ended');
    // In the log that was replaced, a retry may have been refused for certain, for a removal that the new log does not hold.
    if (send.epoch !== epoch()) throw new Failure('unavailable', 'the log was replaced', { retryAfterMs: 500 });
    // While its author was muted or gone, a retry may have been refused for certain: then it is never stored.
    if (state.barredUntilSeq(authorId) > send.allowedAt)
      throw new Failure('unavailable', 'the right to post has changed', { retryAfterMs: 500 });
    // Checked before every try: what another instance appended since the last one may have taken the right away.
    const now = nowMs();
    state.requirePost(actor, now, messageId);
    state.reservePost(authorId, { messageId, atMs: now });
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
