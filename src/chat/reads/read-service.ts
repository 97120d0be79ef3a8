/** Read markers: they move forward only, never past the head of the room, and all devices of a user agree. */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { ReadState, StoreMarks } from './read-repository.ts';

export interface ReadService {
  /** Moves the caller's marker to `seq`, unless it is further already. */
  readonly markRead: (actor: Actor, roomId: string, seq: number) => Promise<ReadState>;
}

/** Marks of one statement. */
const batchMax = 256;

export function createReadService({
  storeMarks,
  hub,
  follow,
}: {
  storeMarks: StoreMarks;
  hub: Pick<Hub<RoomState>, 'signalUser'>;
  /** A room at its head as of now. @throws Failure `not_found` */
  follow: (roomId: string) => Promise<Feed<RoomState>>;
}): ReadService {
  const store = coalesce(storeMarks, { batchMax });

  return {
    markRead: async (actor, roomId, seq) => {
      const { userId } = actor;
      const feed = await follow(roomId);
      feed.state.require(actor, 'post');
      const { joinedSeq } = feed.state.members.get(userId)!;
      const state = await store({ userId, roomId, seq: Math.min(seq, feed.position), joinedSeq });
      hub.signalUser(userId, JSON.stringify({ type: 'read.updated', roomId, data: { userId, ...state } }));
      return state;
    },
  };
}
