/** SQL of who follows a thread, how far they have read it, and the list of their threads. */
import type { Sql } from '../../database/connect.ts';
import { countedColumns, isUnreadInThread, threadCountColumns } from '../reads/unread-rule.ts';

/** What a thread is to one user. */
export interface ThreadState {
  readonly threadId: string;
  readonly following: boolean;
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

/** A member of a room, and one of its threads. */
export interface ThreadReader {
  readonly threadId: string;
  readonly roomId: string;
  readonly userId: string;
  /** Messages from before the user joined are not unread. */
  readonly joinedSeq: number;
}

export interface ThreadMark extends ThreadReader {
  readonly seq: number;
  /** The user wrote the first message: they follow the thread unless they have stopped. */
  readonly isAuthor: boolean;
}

/** A followed thread in the user's list. */
export interface FollowedThread extends ThreadState {
  readonly roomId: string;
  readonly kind: 'room' | 'dm';
  readonly roomName: string;
  /** The other members of a direct message. */
  readonly others: readonly string[];
  /** Of the message that starts the thread. */
  readonly rootSeq: number;
  /** Of the newest message that is not deleted. */
  readonly lastSeq: number;
  /** Milliseconds since the epoch, of the newest message; lists are ordered by it. */
  readonly activeAtMs: number;
}

export interface ThreadPosition {
  readonly activeAtMs: number;
  readonly threadId: string;
}

export interface ThreadRepository {
  readonly find: (reader: ThreadReader) => Promise<ThreadState>;
  /** Moves the marker forward, never back. Does not follow the thread. */
  readonly markRead: (mark: ThreadMark) => Promise<ThreadState>;
  /** @param reader.seq where a user who has no marker yet begins: what came before is not unread */
  readonly setFollowing: (reader: ThreadReader & { readonly seq: number }, following: boolean) => Promise<ThreadState>;
  /** Newest activity first. Only threads with a message, in rooms that the user is a member of, and whose beginning they may read. */
  readonly list: (
    userId: string,
    page: { readonly unreadOnly: boolean; readonly after: ThreadPosition | undefined; readonly limit: number },
  ) => Promise<FollowedThread[]>;
}

interface StateRow {
  following: boolean;
  last_read_seq: string;
  unread: number;
  mentions: number;
}

type ListRow = StateRow & {
  thread_id: string;
  room_id: string;
  kind: 'room' | 'dm';
  room_name: string;
  others: string[] | null;
  root_seq: string;
  last_seq: string;
  active_at_ms: string;
};

const firstId = '00000000-0000-0000-0000-000000000000';

/** @param unreadMax messages are counted up to this */
export function createThreadRepository(sql: Sql, unreadMax: number): ThreadRepository {
  /** The counts of a row `s` of thread_follows. */
  const counts = (joinedSeq: ReturnType<typeof sql> | number) => sql`
    select ${sql.unsafe(threadCountColumns('x', 's.user_id'))} from (
      select ${sql.unsafe(countedColumns)} from events e
      where e.thread_id = s.thread_id and ${sql.unsafe(isUnreadInThread('e', 's.user_id', 's.last_read_seq'))}
        and e.seq > ${typeof joinedSeq === 'number' ? sql`${String(joinedSeq)}::bigint` : joinedSeq}
      order by e.seq desc limit ${unreadMax}
    ) x`;

  /** Statements that hold a row of one user and thread only: a group commit locks several such rows, in its own order. */
  async function store(
    { threadId, userId, roomId, joinedSeq }: ThreadReader,
    { following, seq }: { following: boolean; seq: number },
    change: ReturnType<typeof sql>,
  ): Promise<ThreadState> {
    const [row] = await sql<StateRow[]>`
      with s as (
        insert into thread_follows as f (thread_id, user_id, room_id, following, last_read_seq)
        values (${threadId}, ${userId}, ${roomId}, ${following}, ${String(seq)}::bigint)
        on conflict (thread_id, user_id) do update set ${change}, updated_at = now()
        returning thread_id, user_id, following, last_read_seq
      )
      select s.following, s.last_read_seq, u.unread, u.mentions from s cross join lateral (${counts(joinedSeq)}) u`;
    return toState(threadId, row!);
  }

  async function find({ threadId, userId, joinedSeq }: ThreadReader): Promise<ThreadState> {
    const [row] = await sql<StateRow[]>`
      select s.following, s.last_read_seq, u.unread, u.mentions
      from (
        select ${threadId}::uuid as thread_id, ${userId}::uuid as user_id, coalesce(bool_or(following), false) as following,
          coalesce(max(last_read_seq), 0) as last_read_seq
        from thread_follows where thread_id = ${threadId} and user_id = ${userId}
      ) s cross join lateral (${counts(joinedSeq)}) u`;
    return toState(threadId, row!);
  }

  async function list(
    userId: string,
    { unreadOnly, after, limit }: Parameters<ThreadRepository['list']>[1],
  ): Promise<FollowedThread[]> {
    const { activeAtMs, threadId } = after ?? { activeAtMs: 0, threadId: firstId };
    const rows = await sql<ListRow[]>`
      with followed as materialized (
        select f.thread_id, f.user_id, f.room_id, f.following, f.last_read_seq, m.joined_seq, r.kind, r.name as room_name,
          root.seq as root_seq, newest.seq as last_seq, (extract(epoch from newest.at) * 1000)::bigint as active_at_ms
        from thread_follows f
        join members m on m.room_id = f.room_id and m.user_id = f.user_id
        join rooms r on r.id = f.room_id and r.deleted_at is null
        join events root on root.message_id = f.thread_id and root.type = 'message.created'
          and root.seq >= case when r.history = 'joined' then m.joined_seq else 1 end
        cross join lateral (
          select seq, at from events e where e.thread_id = f.thread_id and e.type = 'message.created' and e.deleted_at is null
          order by e.seq desc limit 1
        ) newest
        where f.user_id = ${userId} and f.following
      ), s as materialized (
        select * from followed l
        where (${after === undefined} or active_at_ms < ${activeAtMs}::bigint or (active_at_ms = ${activeAtMs}::bigint and thread_id > ${threadId}::uuid))
          and (${!unreadOnly} or exists (select from events e where e.thread_id = l.thread_id
            and ${sql.unsafe(isUnreadInThread('e', 'l.user_id', 'greatest(l.last_read_seq, l.joined_seq)'))}))
        order by active_at_ms desc, thread_id limit ${limit}
      )
      select s.*, u.unread, u.mentions,
        case when s.kind = 'dm' then (
          select array_agg(o.user_id) from members o where o.room_id = s.room_id and o.user_id <> s.user_id) end as others
      from s cross join lateral (${counts(sql`s.joined_seq`)}) u
      order by s.active_at_ms desc, s.thread_id`;
    return rows.map(toFollowedThread);
  }

  return {
    find,
    markRead: (mark) =>
      store(
        mark,
        { following: mark.isAuthor, seq: mark.seq },
        sql`last_read_seq = greatest(f.last_read_seq, excluded.last_read_seq)`,
      ),
    setFollowing: (reader, following) =>
      store(reader, { following, seq: reader.seq }, sql`following = excluded.following`),
    list,
  };
}

function toState(threadId: string, { following, last_read_seq, unread, mentions }: StateRow): ThreadState {
  return { threadId, following, lastReadSeq: Number(last_read_seq), unread, mentions };
}

function toFollowedThread(row: ListRow): FollowedThread {
  return {
    ...toState(row.thread_id, row),
    roomId: row.room_id,
    kind: row.kind,
    roomName: row.room_name,
    others: row.others ?? [],
    rootSeq: Number(row.root_seq),
    lastSeq: Number(row.last_seq),
    activeAtMs: Number(row.active_at_ms),
  };
}
