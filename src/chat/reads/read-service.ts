/** Read markers: they move forward only, never past the head, and all devices of a user agree. */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface ReadState {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

export interface ReadService {
  /** Moves the caller's marker to `seq`, or leaves it where it is when that is further. */
  readonly markRead: (actor: Actor, roomId: string, seq: number) => Promise<ReadState>;
}

interface Mark {
  readonly userId: string;
  readonly roomId: string;
  readonly seq: number;
  /** What was said before its member joined is not unread. */
  readonly joinedSeq: number;
}

export function createReadService({
  sql,
  hub,
  follow,
  unreadMax,
}: {
  sql: Sql;
  hub: Hub<RoomState>;
  follow: (roomId: string) => Promise<Feed<RoomState>>;
  unreadMax: number;
}): ReadService {
  async function storeMarks(marks: readonly Mark[]): Promise<ReadState[]> {
    // One row per person and room: the furthest of what was asked in this turn.
    const furthest = new Map<string, Mark>();
    for (const mark of marks) {
      const key = `${mark.userId} ${mark.roomId}`;
      if ((furthest.get(key)?.seq ?? -1) < mark.seq) furthest.set(key, mark);
    }
    const asked = [...furthest.values()].sort((left, right) =>
      left.userId + left.roomId < right.userId + right.roomId ? -1 : 1,
    );
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
        select count(*)::int as unread, (count(*) filter (where s.user_id = any(x.mentions)))::int as mentions from (
          select e.mentions from events e
          where e.room_id = s.room_id and e.seq > greatest(s.last_read_seq, a.joined_seq) and e.type = 'message.created'
            and e.actor_id <> s.user_id and e.deleted_at is null
          order by e.seq desc limit ${unreadMax}
        ) x
      ) u`;
    const states = new Map(
      rows.map((row) => [
        `${row.user_id} ${row.room_id}`,
        { lastReadSeq: Number(row.last_read_seq), unread: row.unread, mentions: row.mentions },
      ]),
    );
    return marks.map((mark) => states.get(`${mark.userId} ${mark.roomId}`)!);
  }

  const store = coalesce(storeMarks, { batchMax: 256 });

  async function markRead(actor: Actor, roomId: string, seq: number): Promise<ReadState> {
    const feed = await follow(roomId);
    feed.state.require(actor, 'post');
    const { joinedSeq } = feed.state.members.get(actor.userId)!;
    const state = await store({ userId: actor.userId, roomId, seq: Math.min(seq, feed.position), joinedSeq });
    hub.signalUser(
      actor.userId,
      JSON.stringify({ type: 'read.updated', roomId, data: { userId: actor.userId, ...state } }),
    );
    return state;
  }

  return { markRead };
}
