/** SQL of read markers. */
import type { Sql } from '../../database/connect.ts';
import { countColumns, countedColumns, isUnread } from './unread-rule.ts';

export interface ReadState {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

/** The state after a mark, and whether the mark has moved the marker. */
export interface MarkedState extends ReadState {
  readonly moved: boolean;
}

/** A member of a room. Messages from before they joined are not unread. */
export interface MarkedMember {
  readonly userId: string;
  readonly roomId: string;
  readonly joinedSeq: number;
}

export interface ReadMark extends MarkedMember {
  readonly seq: number;
  /** The marker that the device knows of. If the marker is behind it, it was moved back since, and the mark does not count. */
  readonly known?: number | undefined;
}

export interface ReadRepository {
  /** Moves markers forward, never back. @returns the state after each mark, in the order of the marks */
  readonly storeMarks: (marks: readonly ReadMark[]) => Promise<MarkedState[]>;
  /** Moves a marker back to `seq`, never forward. @param mark `seq` is not before the one at which the user joined */
  readonly moveBack: (mark: MarkedMember & { readonly seq: number }) => Promise<MarkedState>;
  /** The state as it is. */
  readonly readStates: (members: readonly MarkedMember[]) => Promise<ReadState[]>;
}

interface StateRow {
  user_id: string;
  room_id: string;
  last_read_seq: string;
  unread: number;
  mentions: number;
  moved: boolean;
}

const keyOf = ({ userId, roomId }: Pick<ReadMark, 'userId' | 'roomId'>) => `${userId} ${roomId}`;

/** Whether a mark moves the marker `s` forward. */
const isAhead = 'excluded.last_read_seq > s.last_read_seq';
/** The same for marks of devices that say which marker they know. */
const isAheadAndKnown = `(${isAhead} and s.last_read_seq >=
  coalesce((select a.known from asked a where a.user_id = s.user_id and a.room_id = s.room_id), 0))`;

/** @param unreadMax messages are counted up to this */
export function createReadRepository(sql: Sql, unreadMax: number): ReadRepository {
  /** @param state alias of rows with the member, the marker and `joined_seq` */
  const counted = (state: string) => sql`
      cross join lateral (
        select ${sql.unsafe(countColumns('x', `${state}.user_id`))} from (
          select ${sql.unsafe(countedColumns)} from events e where e.room_id = ${sql.unsafe(`${state}.room_id`)}
            and ${sql.unsafe(isUnread('e', `${state}.user_id`, `greatest(${state}.last_read_seq, ${state}.joined_seq)`))}
          order by e.seq desc limit ${unreadMax}
        ) x
      ) u`;

  async function storeForward(marks: readonly ReadMark[], applies: string): Promise<Map<string, MarkedState>> {
    const asked = furthestMarks(marks);
    const rows = await sql<StateRow[]>`
      with asked as materialized (
        select * from unnest(${asked.map((mark) => mark.userId)}::uuid[], ${asked.map((mark) => mark.roomId)}::uuid[],
          ${asked.map((mark) => String(mark.seq))}::bigint[], ${asked.map((mark) => String(mark.joinedSeq))}::bigint[],
          ${asked.map(({ known }) => (known === undefined ? null : String(known)))}::bigint[])
          as a(user_id, room_id, seq, joined_seq, known)
      ), stored as (
        insert into read_states as s (user_id, room_id, last_read_seq)
        select user_id, room_id, seq from asked order by user_id, room_id
        on conflict (user_id, room_id) do update set
          last_read_seq = case when ${sql.unsafe(applies)} then excluded.last_read_seq else s.last_read_seq end,
          updated_at = case when ${sql.unsafe(applies)} then now() else s.updated_at end
        returning user_id, room_id, last_read_seq, updated_at = now()::timestamptz(3) as moved
      ), marked as (
        select s.*, a.joined_seq from stored s join asked a using (user_id, room_id)
      )
      select m.user_id, m.room_id, m.last_read_seq, m.moved, u.unread, u.mentions from marked m ${counted('m')}`;
    return new Map(rows.map((row) => [keyOf({ userId: row.user_id, roomId: row.room_id }), toState(row)]));
  }

  async function storeMarks(marks: readonly ReadMark[]): Promise<MarkedState[]> {
    const plain = marks.filter(({ known }) => known === undefined);
    const knowing = marks.filter(({ known }) => known !== undefined);
    const states = plain.length > 0 ? await storeForward(plain, isAhead) : new Map<string, MarkedState>();
    // After the plain ones: two rows of one member do not fit into one statement.
    if (knowing.length > 0)
      for (const [key, state] of await storeForward(knowing, isAheadAndKnown)) states.set(key, state);
    return marks.map((mark) => states.get(keyOf(mark))!);
  }

  async function moveBack({ userId, roomId, seq, joinedSeq }: MarkedMember & { seq: number }): Promise<MarkedState> {
    const [row] = await sql<[StateRow]>`
      with stored as (
        insert into read_states as s (user_id, room_id, last_read_seq) values (${userId}, ${roomId}, ${String(joinedSeq - 1)})
        on conflict (user_id, room_id) do update set last_read_seq = least(s.last_read_seq, ${String(seq)}::bigint),
          updated_at = case when ${String(seq)}::bigint < s.last_read_seq then now() else s.updated_at end
        returning user_id, room_id, last_read_seq, updated_at = now()::timestamptz(3) as moved, ${String(joinedSeq)}::bigint as joined_seq
      )
      select m.user_id, m.room_id, m.last_read_seq, m.moved, u.unread, u.mentions from stored m ${counted('m')}`;
    return toState(row);
  }

  async function readStates(members: readonly MarkedMember[]): Promise<ReadState[]> {
    const rows = await sql<StateRow[]>`
      with m as materialized (
        select a.*, coalesce(s.last_read_seq, 0) as last_read_seq
        from unnest(${members.map(({ userId }) => userId)}::uuid[], ${members.map(({ roomId }) => roomId)}::uuid[],
          ${members.map(({ joinedSeq }) => String(joinedSeq))}::bigint[]) with ordinality as a(user_id, room_id, joined_seq, place)
        left join read_states s using (user_id, room_id)
      )
      select m.user_id, m.room_id, m.last_read_seq, false as moved, u.unread, u.mentions from m ${counted('m')} order by m.place`;
    return rows.map(toState);
  }

  return { storeMarks, moveBack, readStates };
}

function toState({ last_read_seq: lastReadSeq, unread, mentions, moved }: StateRow): MarkedState {
  return { lastReadSeq: Number(lastReadSeq), unread, mentions, moved };
}

/** One mark per user and room. In ascending order, so that statements of two instances cannot deadlock. */
function furthestMarks(marks: readonly ReadMark[]): ReadMark[] {
  const furthest = new Map<string, ReadMark>();
  for (const mark of marks) if ((furthest.get(keyOf(mark))?.seq ?? -1) < mark.seq) furthest.set(keyOf(mark), mark);
  return [...furthest.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}
