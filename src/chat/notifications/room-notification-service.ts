/** What a member wants to hear of one room: its level, and silence until some time. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { roomNotifications } from '../../database/tables/read-tables.ts';
import { readTime } from '../../http/input/times.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface RoomNotifications {
  readonly level: 'all' | 'mentions' | 'none';
  /** RFC 3339; null: not muted. */
  readonly mutedUntil: string | null;
}

export interface RoomNotificationService {
  readonly get: (actor: Actor, roomId: string) => Promise<RoomNotifications>;
  /** Replaces both. @throws Failure `not_found` or `forbidden` to those who are not members */
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
    // Only members post, and only members have anything to be notified of.
    (await follow(roomId)).state.require(actor, 'post');
  }

  async function get(actor: Actor, roomId: string): Promise<RoomNotifications> {
    await requireMember(actor, roomId);
    const [row] = await db
      .select({
        level: roomNotifications.level,
        mutedUntil: sql<number | null>`(extract(epoch from ${roomNotifications.mutedUntil}) * 1000)::float8`,
      })
      .from(roomNotifications)
      .where(and(eq(roomNotifications.userId, actor.userId), eq(roomNotifications.roomId, roomId)));
    if (!row) return { level: 'all', mutedUntil: null };
    return { level: row.level, mutedUntil: row.mutedUntil === null ? null : new Date(row.mutedUntil).toISOString() };
  }

  async function put(
    actor: Actor,
    roomId: string,
    { level, mutedUntil }: RoomNotifications,
  ): Promise<RoomNotifications> {
    const settings = { level, mutedUntil: mutedUntil === null ? null : readTime(mutedUntil, '/mutedUntil') };
    await requireMember(actor, roomId);
    await db
      .insert(roomNotifications)
      .values({ userId: actor.userId, roomId, ...settings })
      .onConflictDoUpdate({ target: [roomNotifications.userId, roomNotifications.roomId], set: settings });
    return { level, mutedUntil: settings.mutedUntil?.toISOString() ?? null };
  }

  return { get, put };
}
