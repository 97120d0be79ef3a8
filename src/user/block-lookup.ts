/** Does one of these block that person? Asked for every message into a conversation of two. */
import { coalesce } from '../database/coalesce.ts';
import type { Sql } from '../database/connect.ts';

/** Whether `by` blocks `blockedId`, as of now; what is asked in one turn is one query. */
export type IsBlocked = (pair: { by: string; blockedId: string }) => Promise<boolean>;

export function createBlockLookup(sql: Sql): IsBlocked {
  return coalesce(
    async (pairs: readonly { by: string; blockedId: string }[]) => {
      const rows = await sql<{ blocked: boolean }[]>`
      select exists (select from blocks b where b.user_id = p.by and b.blocked_id = p.blocked) as blocked
      from unnest(${pairs.map(({ by }) => by)}::uuid[], ${pairs.map(({ blockedId }) => blockedId)}::uuid[])
        with ordinality as p(by, blocked, place)
      order by p.place`;
      return rows.map(({ blocked }) => blocked);
    },
    { batchMax: 500 },
  );
}
