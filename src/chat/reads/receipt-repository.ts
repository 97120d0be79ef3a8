/** SQL of read receipts: how far the members of a room have read, without people separated by a block. */
import type { Sql } from '../../database/connect.ts';

export interface Receipt {
  readonly userId: string;
  readonly lastReadSeq: number;
  /** When the marker moved last, or when they joined if it never did. RFC 3339. */
  readonly at: string;
}

export interface ReceiptRepository {
  /** By user id. Without members who block the viewer or are blocked by the viewer. */
  readonly list: (
    roomId: string,
    viewerId: string,
    after: string | undefined,
    limit: number,
  ) => Promise<readonly Receipt[]>;
  /** For each user the people on either side of a block with them; undefined if they are more than `hiddenMax`. */
  readonly hiddenFrom: (userIds: readonly string[]) => Promise<(readonly string[] | undefined)[]>;
}

/** The list is sent with frames: with 36 bytes per id it is a few kilobytes. */
const hiddenMax = 100;
const firstId = '00000000-0000-0000-0000-000000000000';

export function createReceiptRepository(sql: Sql): ReceiptRepository {
  return {
    list: async (roomId, viewerId, after, limit) => {
      const rows = await sql<{ user_id: string; last_read_seq: string; updated_at: Date }[]>`
        select m.user_id, least(coalesce(s.last_read_seq, 0), coalesce((select e.seq from events e where e.room_id = m.room_id order by e.seq desc limit 1), 0))
          as last_read_seq,
          coalesce(s.updated_at, m.joined_at) as updated_at
        from members m left join read_states s on s.user_id = m.user_id and s.room_id = m.room_id
        where m.room_id = ${roomId} and (${after === undefined} or m.user_id > ${after ?? firstId}::uuid)
          and not exists (select from blocks b where b.user_id = m.user_id and b.blocked_id = ${viewerId})
          and not exists (select from blocks b where b.user_id = ${viewerId} and b.blocked_id = m.user_id)
        order by m.user_id limit ${limit}`;
      return rows.map(({ user_id: userId, last_read_seq: lastReadSeq, updated_at: at }) => ({
        userId,
        lastReadSeq: Number(lastReadSeq),
        at: at.toISOString(),
      }));
    },
    hiddenFrom: async (userIds) => {
      const rows = await sql<{ hidden: string[] }[]>`
        select array(
          (select b.user_id from blocks b where b.blocked_id = p.id limit ${hiddenMax + 1})
          union (select b.blocked_id from blocks b where b.user_id = p.id limit ${hiddenMax + 1})
        ) as hidden
        from unnest(${userIds as string[]}::uuid[]) with ordinality as p(id, place) order by p.place`;
      return rows.map(({ hidden }) => (hidden.length > hiddenMax ? undefined : hidden));
    },
  };
}
