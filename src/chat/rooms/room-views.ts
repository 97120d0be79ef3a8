/** Rooms as their viewers see them: a direct message has no name of its own and is called by the names of the others. */
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RoomState } from '../state/room-state.ts';
import type { Room } from './room-rows.ts';

export interface RoomViews {
  readonly describe: (feed: Feed<RoomState>, viewerId: string) => Promise<Room>;
  /** @param others the other members of a direct message */
  readonly nameFor: (room: { kind: 'room' | 'dm'; name: string }, others: readonly string[]) => Promise<string>;
  /** The JSON of `room.joined` for a user; undefined when the room is gone. */
  readonly describeJoined: (roomId: string, userId: string) => Promise<string | undefined>;
}

export function createRoomViews({ hub, profiles }: { hub: Hub<RoomState>; profiles: Profiles }): RoomViews {
  async function nameFor(room: { kind: 'room' | 'dm'; name: string }, others: readonly string[]): Promise<string> {
    if (room.kind === 'room') return room.name;
    const people = await profiles.byIds(others);
    return others.map((id) => (people.get(id) ?? unknownProfile(id)).displayName).join(', ');
  }

  async function describe({ state, position }: Feed<RoomState>, viewerId: string): Promise<Room> {
    const room = { ...state.settings, seq: position, memberCount: state.members.size };
    if (room.kind === 'room') return room;
    const others = [...state.members.keys()].filter((id) => id !== viewerId);
    return { ...room, name: await nameFor(room, others) };
  }

  async function describeJoined(roomId: string, userId: string): Promise<string | undefined> {
    const feed = await hub.feed(roomId);
    return feed && JSON.stringify({ type: 'room.joined', roomId, data: { room: await describe(feed, userId) } });
  }

  return { describe, nameFor, describeJoined };
}
