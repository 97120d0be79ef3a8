/** Looks up current blocks between users. Lookups of one tick share a query. The effect of a block is decided in chat/membership/contact.ts. */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';

export interface BlockLookup {
  readonly isBlocked: (pair: { by: string; blockedId: string }) => Promise<boolean>;
  /** The users who block a user; undefined if they are more than `blockersMax`. */
  readonly blockersOf: (userId: string) => Promise<readonly string[] | undefined>;
  /** The users that a user blocks. */
  readonly blockedBy: (userId: string) => Promise<readonly string[]>;
}

/** The list is sent with frames: with 36 bytes per id it is a few kilobytes. */
const blockersMax = 100;

export function createBlockLookup(sql: Sql): BlockLookup {
  const isBlocked = coalesce(
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
  const blockersOf = coalesce(
    async (userIds: readonly string[]) => {
      const rows = await sql<{ blockers: string[] }[]>`
      select array(select b.user_id from blocks b where b.blocked_id = p.id limit ${blockersMax + 1}) as blockers
      from unnest(${userIds as string[]}::uuid[]) with ordinality as p(id, place) order by p.place`;
      return rows.map(({ blockers }) => (blockers.length > blockersMax ? undefined : blockers));
    },
    { batchMax: 500 },
  );
  const blockedBy = coalesce(
    async (userIds: readonly string[]) => {
      const rows = await sql<{ blocked: string[] }[]>`
      select array(select b.blocked_id from blocks b where b.user_id = p.id) as blocked
      from unnest(${userIds as string[]}::uuid[]) with ordinality as p(id, place) order by p.place`;
      return rows.map(({ blocked }) => blocked);
    },
    { batchMax: 500, gatherMs },
  );
  return { isBlocked, blockersOf, blockedBy };
}
