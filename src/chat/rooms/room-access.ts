/** The way of every request to a room: finds its state, brings it up to date, and checks that the caller may read. */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { requireNotBanned } from '../membership/room-ban-repository.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { StaffAccess } from './staff-access-repository.ts';

export interface RoomAccess {
  /** The room as this instance follows it, at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /**
   * The same for an actor who may read the room. Bans of non-members are read from Postgres: they leave no event in the
   * log, so the state does not know them.
   * @throws Failure `not_found`, `banned`
   */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
}

export function createRoomAccess({
  db,
  hub,
  head,
  staffAccess,
}: {
  db: Database;
  hub: Hub<RoomState>;
  /** The newest committed seq of a room. */
  head: (roomId: string) => Promise<number>;
  staffAccess: StaffAccess;
}): RoomAccess {
  async function follow(roomId: string): Promise<Feed<RoomState>> {
    const feed = await hub.feed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    // Every request sees what any instance acknowledged before the request began.
    const position = await head(roomId);
    if (position > feed.position) await hub.catchUp(feed, position);
    return feed;
  }

  async function followToRead(actor: Actor, roomId: string): Promise<Feed<RoomState>> {
    const feed = await follow(roomId);
    const { userId } = actor;
    if (feed.state.needsOpening(actor)) feed.state.openTo(userId, await staffAccess({ roomId, userId }));
    if (feed.state.require(actor, 'read') === 'outsider') await requireNotBanned(db, roomId, userId);
    return feed;
  }

  return { follow, followToRead };
}
