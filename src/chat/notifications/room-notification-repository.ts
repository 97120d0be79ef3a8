/** The rows of `room_notifications`: one for each member who has chosen something else than the default. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { roomNotifications } from '../../database/tables/read-tables.ts';

export interface RoomNotificationRow {
  readonly level: 'all' | 'mentions' | 'none';
  readonly mutedUntil: Date | null;
}

interface Key {
  readonly userId: string;
  readonly roomId: string;
}

export async function findRoomNotifications(
  db: Database,
  { userId, roomId }: Key,
): Promise<RoomNotificationRow | undefined> {
  const [row] = await db
    .select({
      level: roomNotifications.level,
      mutedUntil: sql<number | null>`(extract(epoch from ${roomNotifications.mutedUntil}) * 1000)::float8`,
    })
    .from(roomNotifications)
    .where(and(eq(roomNotifications.userId, userId), eq(roomNotifications.roomId, roomId)));
  return row && { level: row.level, mutedUntil: row.mutedUntil === null ? null : new Date(row.mutedUntil) };
}

export async function putRoomNotifications(db: Database, key: Key, row: RoomNotificationRow): Promise<void> {
  await db
    .insert(roomNotifications)
    .values({ ...key, ...row })
    .onConflictDoUpdate({ target: [roomNotifications.userId, roomNotifications.roomId], set: { ...row } });
}
