/**
 * Counts what is unread from the tables alone, in the plainest way, and without `reads/unread-rule.ts`: an error there must show as a
 * difference.
 */
import type { Sql } from '../../database/connect.ts';

export interface Counted {
  readonly userId: string;
  readonly roomId: string;
  /** Undefined for a room itself. */
  readonly threadId?: string;
  readonly joinedSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

interface Row {
  user_id: string;
  room_id: string;
  thread_id: string | null;
  joined_seq: string;
  unread: number;
  mentions: number;
}

const firstId = '00000000-0000-0000-0000-000000000000';

/** Users by id. @param after the last one of the page before */
export async function listUserIds(sql: Sql, after: string | undefined, limit: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from users where id > ${after ?? firstId} and erased_at is null order by id limit ${limit}`;
  return rows.map(({ id }) => id);
}

/** The ids of the first and of the last account; undefined without accounts. Ids begin with the time at which they were made. */
export async function findIdRange(sql: Sql): Promise<{ first: string; last: string } | undefined> {
  const [row] = await sql<{ first: string | null; last: string | null }[]>`
    select (select id from users order by id limit 1) as first, (select id from users order by id desc limit 1) as last`;
  return row?.first && row.last ? { first: row.first, last: row.last } : undefined;
}

const isMention = (sql: Sql) => sql`(
  coalesce(m.user_id = any(e.mentions), false)
  or (e.mentions_all is not null and not exists (select from blocks b where b.user_id = m.user_id and b.blocked_id = e.actor_id)))`;

/** Every membership of these users. */
export async function recountRooms(sql: Sql, userIds: readonly string[]): Promise<Counted[]> {
  const rows = await sql<Row[]>`
    select m.user_id, m.room_id, null as thread_id, m.joined_seq,
      count(e.seq) filter (where e.thread_id is null or e.also_in_room)::int as unread,
      count(e.seq) filter (where ${isMention(sql)})::int as mentions
    from members m
    join rooms r on r.id = m.room_id and r.deleted_at is null
    left join read_states s on s.user_id = m.user_id and s.room_id = m.room_id
    left join events e on e.room_id = m.room_id and e.type = 'message.created' and e.deleted_at is null
      and e.actor_id is distinct from m.user_id and e.seq > m.joined_seq and e.seq > coalesce(s.last_read_seq, 0)
    where m.user_id = any(${userIds as string[]}::uuid[])
    group by m.user_id, m.room_id, m.joined_seq`;
  return rows.map(toCounted);
}

/** Every thread that these users follow, with a message in it that is not deleted, where they may read its beginning. */
export async function recountThreads(sql: Sql, userIds: readonly string[]): Promise<Counted[]> {
  const rows = await sql<Row[]>`
    select m.user_id, m.room_id, f.thread_id, m.joined_seq,
      count(e.seq) filter (where e.actor_id is distinct from m.user_id
        and e.seq > m.joined_seq and e.seq > f.last_read_seq)::int as unread,
      count(e.seq) filter (where e.actor_id is distinct from m.user_id
        and e.seq > m.joined_seq and e.seq > f.last_read_seq and ${isMention(sql)})::int as mentions
    from thread_follows f
    join members m on m.user_id = f.user_id and m.room_id = f.room_id
    join rooms r on r.id = f.room_id and r.deleted_at is null
    join events root on root.message_id = f.thread_id and root.type = 'message.created'
    join events e on e.thread_id = f.thread_id and e.type = 'message.created' and e.deleted_at is null
    where f.user_id = any(${userIds as string[]}::uuid[]) and f.following and (r.history = 'all' or root.seq >= m.joined_seq)
    group by m.user_id, m.room_id, f.thread_id, m.joined_seq`;
  return rows.map(toCounted);
}

function toCounted(row: Row): Counted {
  const { user_id: userId, room_id: roomId, thread_id: threadId, unread, mentions } = row;
  const counts = { userId, roomId, joinedSeq: Number(row.joined_seq), unread, mentions };
  return threadId === null ? counts : { ...counts, threadId };
}
