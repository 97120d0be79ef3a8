/**
 * Which private rooms staff have opened to read. The entry in the audit log is what opens the room: there is no access without its entry. Entries are written in moderation/staff-access/staff-access-service.ts.
 */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';

/** The action of an entry that opens a room; `details.expiresAt` says until when. */
export const openRoomAction = 'room.access';

/** For how many milliseconds a user may still read a room that they opened, by Postgres' clock; 0: they may not. */
export type StaffAccess = (place: { roomId: string; userId: string }) => Promise<number>;

export function createStaffAccess(sql: Sql): StaffAccess {
  return coalesce(
    async (places: readonly { roomId: string; userId: string }[]) => {
      const rows = await sql<{ left_ms: number }[]>`
        select coalesce((
          select greatest(extract(epoch from max((a.details ->> 'expiresAt')::timestamptz) - clock_timestamp()) * 1000, 0)
          from moderation_audit a
          where a.room_id = p.room_id and a.actor_id = p.user_id and a.action = ${openRoomAction}
        ), 0)::float8 as left_ms
        from unnest(${places.map(({ roomId }) => roomId)}::uuid[], ${places.map(({ userId }) => userId)}::uuid[])
          with ordinality as p(room_id, user_id, place)
        order by p.place`;
      return rows.map((row) => row.left_ms);
    },
    { batchMax: 500 },
  );
}
