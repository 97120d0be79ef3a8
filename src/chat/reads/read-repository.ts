/**
 * SQL of read markers.
 *
 * What a mark answers is read by a statement of its own, after the mark is stored: all of it is of one snapshot of the database. Snapshots
 * have one order for all instances, so `seq` and `readVersion` order any two answers about a room. One statement that stores and counts
 * could not do that: it counts as of its beginning, and may have waited for the marker's row since.
 */

import { sql as drizzleSql } from 'drizzle-orm';
import type { Sql, Transaction } from '../../database/connect.ts';
import { countColumns, countedColumns, isUnread } from './unread-rule.ts';

export interface ReadState {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
  /** The head of the room's log: the counts contain the events up to it. */
  readonly seq: number;
  /** Grows whenever the marker moves, and whenever the user blocks or unblocks somebody. */
  readonly readVersion: number;
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
  /** Moves markers forward, never back. @returns the state after all marks, in the order of the marks */
  readonly storeMarks: (marks: readonly ReadMark[]) => Promise<MarkedState[]>;
  /** Moves a marker back to `seq`, never forward. @param mark `seq` is not before the one at which the user joined */
  readonly moveBack: (mark: MarkedMember & { readonly seq: number }) => Promise<MarkedState>;
  /** The state as it is. */
  readonly readStates: (members: readonly MarkedMember[]) => Promise<ReadState[]>;
}

interface MovedRow {
  user_id: string;
  room_id: string;
  moved: boolean;
}

interface StateRow {
  last_read_seq: string;
  unread: number;
  mentions: number;
  seq: string;
  version: string;
}

const keyOf = ({ userId, roomId }: Pick<ReadMark, 'userId' | 'roomId'>) => `${userId} ${roomId}`;

/** Whether a mark moves the marker `s` forward. */
const isAhead = 'excluded.last_read_seq > s.last_read_seq';
/** The same for marks of devices that say which marker they know. */
const isAheadAndKnown = `(${isAhead} and s.last_read_seq >=
  coalesce((select a.known from asked a where a.user_id = s.user_id and a.room_id = s.room_id), 0))`;

/** @param unreadMax messages are counted up to this */
export function createReadRepository(sql: Sql, unreadMax: number): ReadRepository {
  /** @returns the keys of the markers that were moved */
  async function storeForward(marks: readonly ReadMark[], applies: string): Promise<ReadonlySet<string>> {
    const asked = furthestMarks(marks);
    const moves = sql.unsafe(applies);
    const rows = await sql<MovedRow[]>`
      with asked as materialized (
        select * from unnest(${asked.map((mark) => mark.userId)}::uuid[], ${asked.map((mark) => mark.roomId)}::uuid[],
          ${asked.map((mark) => String(mark.seq))}::bigint[],
          ${asked.map(({ known }) => (known === undefined ? null : String(known)))}::bigint[])
          as a(user_id, room_id, seq, known)
      )
      insert into read_states as s (user_id, room_id, last_read_seq, version)
      select user_id, room_id, seq, 1 from asked order by user_id, room_id
      on conflict (user_id, room_id) do update set
        last_read_seq = case when ${moves} then excluded.last_read_seq else s.last_read_seq end,
        version = case when ${moves} then s.version + 1 else s.version end,
        updated_at = case when ${moves} then now() else s.updated_at end
      returning user_id, room_id, updated_at = now()::timestamptz(3) as moved`;
    return new Set(rows.filter(({ moved }) => moved).map((row) => keyOf({ userId: row.user_id, roomId: row.room_id })));
  }

  async function storeMarks(marks: readonly ReadMark[]): Promise<MarkedState[]> {
    const plain = marks.filter(({ known }) => known === undefined);
    const knowing = marks.filter(({ known }) => known !== undefined);
    const moved = new Set(plain.length > 0 ? await storeForward(plain, isAhead) : []);
    // After the plain ones: two rows of one member do not fit into one statement.
    if (knowing.length > 0) for (const key of await storeForward(knowing, isAheadAndKnown)) moved.add(key);
    const members = furthestMarks(marks);
    const states = await readStates(members);
    const byKey = new Map(members.map((member, index) => [keyOf(member), states[index]!]));
    return marks.map((mark) => ({ ...byKey.get(keyOf(mark))!, moved: moved.has(keyOf(mark)) }));
  }

  async function moveBack(mark: MarkedMember & { seq: number }): Promise<MarkedState> {
    const seq = String(mark.seq);
    const [row] = await sql<[MovedRow]>`
      insert into read_states as s (user_id, room_id, last_read_seq, version)
      values (${mark.userId}, ${mark.roomId}, ${String(mark.joinedSeq - 1)}, 1)
      on conflict (user_id, room_id) do update set last_read_seq = least(s.last_read_seq, ${seq}::bigint),
        version = case when ${seq}::bigint < s.last_read_seq then s.version + 1 else s.version end,
        updated_at = case when ${seq}::bigint < s.last_read_seq then now() else s.updated_at end
      returning user_id, room_id, updated_at = now()::timestamptz(3) as moved`;
    const [state] = await readStates([mark]);
    return { ...state!, moved: row.moved };
  }

  async function readStates(members: readonly MarkedMember[]): Promise<ReadState[]> {
    const rows = await sql<StateRow[]>`
      with m as materialized (
        select a.*, coalesce(s.last_read_seq, 0) as last_read_seq, coalesce(s.version, 0) as version,
          coalesce((select e.seq from events e where e.room_id = a.room_id order by e.seq desc limit 1), 0) as seq
        from unnest(${members.map(({ userId }) => userId)}::uuid[], ${members.map(({ roomId }) => roomId)}::uuid[],
          ${members.map(({ joinedSeq }) => String(joinedSeq))}::bigint[]) with ordinality as a(user_id, room_id, joined_seq, place)
        left join read_states s using (user_id, room_id)
      )
      select m.last_read_seq, m.version, m.seq, u.unread, u.mentions from m
      cross join lateral (
        select ${sql.unsafe(countColumns('x', 'm.user_id'))} from (
          select ${sql.unsafe(countedColumns)} from events e where e.room_id = m.room_id
            and ${sql.unsafe(isUnread('e', 'm.user_id', 'greatest(m.last_read_seq, m.joined_seq)'))}
          order by e.seq desc limit ${unreadMax}
        ) x
      ) u
      order by m.place`;
    return rows.map(toState);
  }

  return { storeMarks, moveBack, readStates };
}

function toState({ last_read_seq: lastReadSeq, unread, mentions, seq, version }: StateRow): ReadState {
  return { lastReadSeq: Number(lastReadSeq), unread, mentions, seq: Number(seq), readVersion: Number(version) };
}

/**
 * What counts as a mention has changed for this user: answers about their rooms from before are older ones. Rows in ascending
 * order, as in `storeForward`.
 */
export async function countChangeForUser(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(drizzleSql`
    insert into read_states as s (user_id, room_id, last_read_seq, updated_at, version)
    select user_id, room_id, 0, joined_at, 1 from members where user_id = ${userId} order by room_id
    on conflict (user_id, room_id) do update set version = s.version + 1`);
}

/** One mark per user and room. In ascending order, so that statements of two instances cannot deadlock. */
function furthestMarks(marks: readonly ReadMark[]): ReadMark[] {
  const furthest = new Map<string, ReadMark>();
  for (const mark of marks) if ((furthest.get(keyOf(mark))?.seq ?? -1) < mark.seq) furthest.set(keyOf(mark), mark);
  return [...furthest.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}
