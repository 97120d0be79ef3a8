/** Loads the states of rooms from Postgres, for the hub. */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import type { MemberRole } from '../../permissions.ts';
import { type MemberState, RoomState } from '../state/room-state.ts';
import { type RoomRow, toRoom } from './room-rows.ts';

interface StateRow extends RoomRow {
  members: [userId: string, role: MemberRole, joinedSeq: number, mutedUntilMs: number | null][] | null;
  posts: [userId: string, atMs: number][] | null;
}

/** One snapshot of a room's position and state; undefined when there is no such room. */
export type LoadRoom = (roomId: string) => Promise<{ position: number; state: RoomState } | undefined>;

/** Rooms that are loaded in the same tick share a query. */
export function createRoomLoader(sql: Sql): LoadRoom {
  return coalesce(
    async (roomIds: readonly string[]) => {
      const rows = await sql<StateRow[]>`
      select r.id, r.kind, r.name, r.topic, r.visibility, r.history, r.slow_mode_seconds, r.pins, r.receipts, r.created_at,
        r.deleted_at is not null as deleted,
        coalesce((select seq from events e where e.room_id = r.id order by seq desc limit 1), 0) as seq,
        (select json_agg(json_build_array(m.user_id, m.role, m.joined_seq, (extract(epoch from m.muted_until) * 1000)::bigint))
          from members m where m.room_id = r.id) as members,
        case when r.slow_mode_seconds > 0 then (
          select json_agg(json_build_array(p.actor_id, p.at)) from (
            select actor_id, (extract(epoch from max(at)) * 1000)::bigint as at from (
              select actor_id, at from events e where e.room_id = r.id and e.type = 'message.created' order by seq desc limit 5000
            ) newest group by actor_id
          ) p) end as posts
      from rooms r where r.id = any(${roomIds as string[]}::uuid[])`;
      const byId = new Map(rows.map((row) => [row.id, row]));
      return roomIds.map((roomId) => {
        const row = byId.get(roomId);
        return row && { position: Number(row.seq), state: toState(row) };
      });
    },
    { batchMax: 64, gatherMs },
  );
}

function toState(row: StateRow): RoomState {
  const members = new Map<string, MemberState>();
  for (const [userId, role, joinedSeq, mutedUntil] of row.members ?? []) {
    members.set(userId, { role, joinedSeq: Number(joinedSeq), mutedUntil: Number(mutedUntil ?? 0) });
  }
  const { seq: _seq, ...settings } = toRoom(row);
  const state = new RoomState(settings, members, row.deleted);
  for (const [userId, at] of row.posts ?? []) state.notePost(userId, { messageId: undefined, atMs: Number(at) });
  return state;
}
