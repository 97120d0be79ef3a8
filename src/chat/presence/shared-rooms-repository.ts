/** Who is in a room together. */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';

export interface UserPair {
  readonly watcherId: string;
  readonly userId: string;
}

/** Pairs in one query. Each reads the rooms of one user, and looks the other one up in them. */
const batchMax = 1000;

/** @returns whether both are members of one room. Calls within a tick share a query */
export function createSharedRooms(sql: Sql): (pair: UserPair) => Promise<boolean> {
  return coalesce(
    async (pairs: readonly UserPair[]) => {
      const rows = await sql<{ shares: boolean }[]>`
        select exists (
          select from members a join members b on b.room_id = a.room_id and b.user_id = p.watcher_id where a.user_id = p.user_id
        ) as shares
        from unnest(${pairs.map(({ watcherId }) => watcherId)}::uuid[], ${pairs.map(({ userId }) => userId)}::uuid[])
          with ordinality as p(watcher_id, user_id, place)
        order by p.place`;
      return rows.map(({ shares }) => shares);
    },
    { batchMax, atOnceMax: 2 },
  );
}
