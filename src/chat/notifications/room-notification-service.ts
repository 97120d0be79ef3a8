/** What a member is notified of in one room: a level, and a time until which the room is muted. */
import type { Database } from '../../database/connect.ts';
import { readTime } from '../../http/input/times.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { findRoomNotifications, putRoomNotifications } from './room-notification-repository.ts';

export interface RoomNotifications {
  readonly level: 'all' | 'mentions' | 'none';
  /** RFC 3339; null: not muted. */
  readonly mutedUntil: string | null;
}

export interface RoomNotificationService {
  /** @throws Failure `not_found` or `forbidden` for users who are not members */
  readonly get: (actor: Actor, roomId: string) => Promise<RoomNotifications>;
  /** Replaces both. @throws Failure `invalid`; `not_found` or `forbidden` for users who are not members */
  readonly put: (actor: Actor, roomId: string, settings: RoomNotifications) => Promise<RoomNotifications>;
}

export function createRoomNotificationService({
  db,
  follow,
}: {
  db: Database;
  /** A room at its head as of now. */
  follow: (roomId: string) => Promise<Feed<RoomState>>;
}): RoomNotificationService {
  async function requireMember(actor: Actor, roomId: string): Promise<void> {
    // Of all standings, only members may post.
    (await follow(roomId)).state.require(actor, 'post');
  }

  return {
    get: async (actor, roomId) => {
      await requireMember(actor, roomId);
      const row = await findRoomNotifications(db, { userId: actor.userId, roomId });
      return row
        ? { level: row.level, mutedUntil: row.mutedUntil?.toISOString() ?? null }
        : { level: 'all', mutedUntil: null };
    },
    put: async (actor, roomId, { level, mutedUntil: given }) => {
      const mutedUntil = given === null ? null : readTime(given, '/mutedUntil');
      await requireMember(actor, roomId);
      await putRoomNotifications(db, { userId: actor.userId, roomId }, { level, mutedUntil });
      return { level, mutedUntil: mutedUntil?.toISOString() ?? null };
    },
  };
}
