/**
 * Read markers: one for each member of a room, the same on all devices, never past the head of the room. `markRead` moves it
 * forward only, `markUnread` back only. docs/conversation/read-state.md says what happens when two devices disagree.
 */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { MarkedState, ReadRepository, ReadState } from './read-repository.ts';
import type { ReceiptSignals } from './receipt-signals.ts';

export interface ReadService {
  /**
   * Moves the caller's marker to `seq`, unless it is further already.
   * @param known the marker that the device knows of: if it was moved back since, this mark does not count
   */
  readonly markRead: (actor: Actor, roomId: string, seq: number, known?: number) => Promise<ReadState>;
  /** Moves the caller's marker back to before `seq`, but not before they joined. */
  readonly markUnread: (actor: Actor, roomId: string, seq: number) => Promise<ReadState>;
}

/** Marks of one statement. */
const batchMax = 256;

export function createReadService({
  repository,
  hub,
  follow,
  receipts,
}: {
  repository: Pick<ReadRepository, 'storeMarks' | 'moveBack'>;
  hub: Pick<Hub<RoomState>, 'signalUser'>;
  /** A room at its head as of now. @throws Failure `not_found` */
  follow: (roomId: string) => Promise<Feed<RoomState>>;
  receipts: Pick<ReceiptSignals, 'markerMoved'>;
}): ReadService {
  const store = coalesce(repository.storeMarks, { batchMax });

  /** @throws Failure `not_found`, `forbidden` for callers who are not members */
  async function requireMember(actor: Actor, roomId: string) {
    const feed = await follow(roomId);
    feed.state.require(actor, 'post');
    return { feed, joinedSeq: feed.state.members.get(actor.userId)!.joinedSeq };
  }

  function announce(feed: Feed<RoomState>, userId: string, { moved, ...state }: MarkedState): ReadState {
    const { roomId } = feed;
    hub.signalUser(userId, JSON.stringify({ type: 'read.updated', roomId, data: { userId, ...state } }));
    if (moved) receipts.markerMoved(feed, userId, state.lastReadSeq);
    return state;
  }

  return {
    markRead: async (actor, roomId, seq, known) => {
      const { userId } = actor;
      const { feed, joinedSeq } = await requireMember(actor, roomId);
      const state = await store({ userId, roomId, joinedSeq, seq: Math.min(seq, feed.position), known });
      return announce(feed, userId, state);
    },
    markUnread: async (actor, roomId, seq) => {
      const { userId } = actor;
      const { feed, joinedSeq } = await requireMember(actor, roomId);
      // Joining reads everything before it, so the marker is never before that.
      const state = await repository.moveBack({ userId, roomId, joinedSeq, seq: Math.max(seq, joinedSeq) - 1 });
      return announce(feed, userId, state);
    },
  };
}
