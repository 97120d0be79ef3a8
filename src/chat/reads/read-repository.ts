/** SQL of read markers. */
import type { Sql } from '../../database/connect.ts';
import { countColumns, countedColumns, countsAtAll } from './unread-rule.ts';

export interface ReadState {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

export interface ReadMark {
  readonly userId: string;
  readonly roomId: string;
  readonly seq: number;
  /** Messages from before the user joined are not unread. */
  readonly joinedSeq: number;
}

/** Moves markers forward, never back. @returns the state after each mark, in the order of the marks */
export type StoreMarks = (marks: readonly ReadMark[]) => Promise<ReadState[]>;

const keyOf = ({ userId, roomId }: Pick<ReadMark, 'userId' | 'roomId'>) => `${userId} ${roomId}`;

/** @param unreadMax messages are counted up to this */
export function createReadRepository(sql: Sql, unreadMax: number): StoreMarks {
  return async (marks) => {
    const asked = furthestMarks(marks);
    const rows = await sql<
      { user_id: string; room_id: string; last_read_seq: string; unread: number; mentions: number }[]
    >`
      with asked as materialized (
        select * from unnest(${asked.map((mark) => mark.userId)}::uuid[], ${asked.map((mark) => mark.roomId)}::uuid[],
          ${asked.map((mark) => String(mark.seq))}::bigint[], ${asked.map((mark) => String(mark.joinedSeq))}::bigint[])
          as a(user_id, room_id, seq, joined_seq)
      ), stored as (
        insert into read_states as s (user_id, room_id, last_read_seq)
        select user_id, room_id, seq from asked order by user_id, room_id
        on conflict (user_id, room_id) do update set last_read_seq = greatest(s.last_read_seq, excluded.last_read_seq), updated_at = now()
        returning user_id, room_id, last_read_seq
      )
      select s.user_id, s.room_id, s.last_read_seq, u.unread, u.mentions from stored s join asked a using (user_id, room_id)
      cross join lateral (
        select ${sql.unsafe(countColumns('x', 's.user_id'))} from (
          select ${sql.unsafe(countedColumns)} from events e
          where e.room_id = s.room_id and e.seq > greatest(s.last_read_seq, a.joined_seq) and e.type = 'message.created'
            and e.actor_id <> s.user_id and e.deleted_at is null and ${sql.unsafe(countsAtAll('e', 's.user_id'))}
          order by e.seq desc limit ${unreadMax}
        ) x
      ) u`;
    const states = new Map(
      rows.map(({ user_id: userId, room_id: roomId, last_read_seq, unread, mentions }) => [
        keyOf({ userId, roomId }),
        { lastReadSeq: Number(last_read_seq), unread, mentions },
      ]),
    );
    return marks.map((mark) => states.get(keyOf(mark))!);
  };
}

/** One mark per user and room. In ascending order, so that statements of two instances cannot deadlock. */
function furthestMarks(marks: readonly ReadMark[]): ReadMark[] {
  const furthest = new Map<string, ReadMark>();
  for (const mark of marks) if ((furthest.get(keyOf(mark))?.seq ?? -1) < mark.seq) furthest.set(keyOf(mark), mark);
  return [...furthest.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}
