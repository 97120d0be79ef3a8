/** Rooms in Postgres: what the hub loads, what lists show, and the checks that need other tables. */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import type { MemberRole } from '../../permissions.ts';
import { type MemberState, RoomState } from '../state/room-state.ts';

interface RoomRow {
  id: string;
  kind: 'room' | 'dm';
  name: string;
  topic: string;
  visibility: 'public' | 'private';
  history: 'all' | 'joined';
  slow_mode_seconds: number;
  created_at: Date;
  deleted: boolean;
  seq: string;
}

interface LoadRow extends RoomRow {
  members: [userId: string, role: MemberRole, joinedSeq: number, mutedUntilMs: number | null][] | null;
  posts: [userId: string, atMs: number][] | null;
}

/** A room in a list, as its viewer sees it. */
export interface RoomSummaryRow {
  readonly id: string;
  readonly kind: 'room' | 'dm';
  readonly name: string;
  readonly topic: string;
  readonly visibility: 'public' | 'private';
  readonly history: 'all' | 'joined';
  readonly slowModeSeconds: number;
  readonly createdAt: string;
  readonly seq: number;
  readonly memberCount: number;
}

/** A room as a socket's welcome names it. */
export interface FollowedRoomRow extends Omit<RoomSummaryRow, 'memberCount'> {
  /** The member's own. */
  readonly role: MemberRole;
  readonly joinedSeq: number;
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
  /** The other people of a direct-message room. */
  readonly others: readonly string[];
}

export interface OwnRoomRow extends FollowedRoomRow {
  readonly memberCount: number;
  /** Epoch milliseconds of the newest event; lists are ordered by it. */
  readonly activeAtMs: number;
  readonly lastMessageSeq: number | null;
}

export interface FollowedRooms {
  /** The most active ones first, as many as a socket follows. */
  readonly followed: readonly FollowedRoomRow[];
  readonly beyond: readonly { readonly id: string; readonly seq: number }[];
}

export interface RoomRepository {
  /** One snapshot of position and state; asked together with others of the same turn. */
  readonly load: (roomId: string) => Promise<{ position: number; state: RoomState } | undefined>;
  /** All rooms of each user, one snapshot per call; users of one turn share a query. */
  readonly followedRooms: (userId: string) => Promise<FollowedRooms>;
  /** The user's rooms, newest activity first. @param after the last room before them */
  readonly ownRooms: (
    userId: string,
    after: { activeAtMs: number; id: string } | undefined,
    limit: number,
  ) => Promise<readonly OwnRoomRow[]>;
  /** Those that have not shut the viewer out. */
  readonly publicRooms: (
    viewerId: string,
    query: string,
    after: { name: string; id: string } | undefined,
    limit: number,
  ) => Promise<RoomSummaryRow[]>;
  readonly memberIds: (
    roomId: string,
    after: string | undefined,
    limit: number,
  ) => Promise<{ userId: string; role: MemberRole; joinedAt: string; mutedUntil: string | null }[]>;
}

export function createRoomRepository({
  sql,
  settings,
}: {
  sql: Sql;
  settings: { readonly unreadMax: number; readonly unreadTotal: number; readonly roomsPerSocket: number };
}): RoomRepository {
  const load = coalesce(
    async (roomIds: readonly string[]) => {
      const rows = await sql<LoadRow[]>`
      select r.id, r.kind, r.name, r.topic, r.visibility, r.history, r.slow_mode_seconds, r.created_at,
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

  /** The rooms of these users, with their heads. */
  function memberships(userIds: readonly string[]) {
    return sql`
      select m.user_id, m.role, m.joined_seq, r.id, r.kind, r.name, r.topic, r.visibility, r.history, r.slow_mode_seconds, r.created_at,
        false as deleted, coalesce(head.seq, 0) as seq, head.at as active_at, least(coalesce(rs.last_read_seq, 0), coalesce(head.seq, 0)) as last_read_seq
      from members m
      join rooms r on r.id = m.room_id and r.deleted_at is null
      left join read_states rs on rs.user_id = m.user_id and rs.room_id = m.room_id
      left join lateral (select seq, at from events e where e.room_id = r.id order by seq desc limit 1) head on true
      where m.user_id = any(${userIds as string[]}::uuid[])`;
  }

  /**
   * What its member has not read of the room `own` since they joined, which is one of `own.of_rooms` that are told of together: where more than
   * `unreadTotal` would have to be counted, each room is counted up to its share of that, so that the answer comes however many there are.
   */
  function unreadOfOwn() {
    return sql`
      select count(*)::int as unread, (count(*) filter (where own.user_id = any(u.mentions)))::int as mentions from (
        select e.mentions from events e
        where own.place <= own.of_rooms and e.room_id = own.id
          and e.seq > greatest(own.last_read_seq, own.joined_seq)
          and e.type = 'message.created' and e.actor_id <> own.user_id and e.deleted_at is null
        order by e.seq desc limit case when own.pending <= ${settings.unreadTotal}::bigint then ${settings.unreadMax}::bigint
          else least(${settings.unreadMax}::bigint, greatest(${settings.unreadTotal}::bigint / own.of_rooms, 1)) end
      ) u`;
  }

  /** How many messages there are to count at most, which is known without looking at them: a column of `joined`. */
  function pendingOfJoined() {
    return sql`least(${settings.unreadMax}::bigint, seq - greatest(last_read_seq, joined_seq))`;
  }

  function othersInOwn() {
    return sql`case when own.kind = 'dm' and own.place <= own.of_rooms then (
      select array_agg(o.user_id) from members o where o.room_id = own.id and o.user_id <> own.user_id) end`;
  }

  const followedRooms = coalesce(
    async (userIds: readonly string[]): Promise<FollowedRooms[]> => {
      const rows = await sql<(RoomRow & FollowedColumns)[]>`
      with own as materialized (
        select *, row_number() over (partition by user_id order by active_at desc nulls last, id) as place,
          least(count(*) over (partition by user_id), ${settings.roomsPerSocket}::bigint) as of_rooms,
          sum(${pendingOfJoined()}) over (partition by user_id) as pending
        from (${memberships([...new Set(userIds)])}) joined
      )
      select own.*, unread.unread, unread.mentions, ${othersInOwn()} as others
      from own cross join lateral (${unreadOfOwn()}) unread
      order by own.place`;
      const byUser = Map.groupBy(rows, (row) => row.user_id);
      return userIds.map((userId) => {
        const own = byUser.get(userId) ?? [];
        return {
          followed: own.slice(0, settings.roomsPerSocket).map(toFollowedRoom),
          beyond: own.slice(settings.roomsPerSocket).map(({ id, seq }) => ({ id, seq: Number(seq) })),
        };
      });
    },
    { batchMax: 64, gatherMs },
  );

  async function ownRooms(
    userId: string,
    after: { activeAtMs: number; id: string } | undefined,
    limit: number,
  ): Promise<OwnRoomRow[]> {
    const { activeAtMs, id } = after ?? { activeAtMs: 0, id: '00000000-0000-0000-0000-000000000000' };
    const rows = await sql<(RoomRow & OwnColumns)[]>`
      with joined as materialized (
        select *, (extract(epoch from active_at) * 1000)::bigint as active_at_ms from (${memberships([userId])}) joined
      ), own as materialized (
        select *, 1 as place, count(*) over () as of_rooms, sum(${pendingOfJoined()}) over () as pending from (
          select * from joined
          where ${after === undefined} or active_at_ms < ${activeAtMs}::bigint or (active_at_ms = ${activeAtMs}::bigint and id > ${id}::uuid)
          order by active_at_ms desc nulls last, id limit ${limit}
        ) page
      )
      select own.*, unread.unread, unread.mentions, ${othersInOwn()} as others, newest.seq as last_message_seq,
        (select count(*)::int from members c where c.room_id = own.id) as member_count
      from own cross join lateral (${unreadOfOwn()}) unread
      left join lateral (
        select seq from events e where e.room_id = own.id and e.type = 'message.created' and e.deleted_at is null order by seq desc limit 1
      ) newest on true
      order by own.active_at_ms desc nulls last, own.id`;
    return rows.map(toOwnRoom);
  }

  async function publicRooms(
    viewerId: string,
    query: string,
    after: { name: string; id: string } | undefined,
    limit: number,
  ): Promise<RoomSummaryRow[]> {
    const rows = await sql<(RoomRow & { member_count: number })[]>`
      select r.*, false as deleted, coalesce((select seq from events e where e.room_id = r.id order by seq desc limit 1), 0) as seq,
        (select count(*)::int from members m where m.room_id = r.id) as member_count
      from rooms r
      where r.visibility = 'public' and r.kind = 'room' and r.deleted_at is null
        and not exists (select from moderation_bans b where b.user_id = ${viewerId} and b.room_id = r.id
          and b.lifted_at is null and (b.expires_at is null or b.expires_at > clock_timestamp()))
        and (${query} = '' or strpos(lower(r.name), lower(${query})) > 0 or strpos(lower(r.topic), lower(${query})) > 0)
        and (${after === undefined} or (r.name, r.id) > (${after?.name ?? ''}, ${after?.id ?? '00000000-0000-0000-0000-000000000000'}::uuid))
      order by r.name, r.id limit ${limit}`;
    return rows.map((row) => ({ ...toSummary(row), memberCount: row.member_count }));
  }

  async function memberIds(roomId: string, after: string | undefined, limit: number) {
    const rows = await sql<{ user_id: string; role: MemberRole; joined_at: Date; muted_until: Date | null }[]>`
      select user_id, role, joined_at, case when muted_until > now() then muted_until end as muted_until from members
      where room_id = ${roomId} and (${after === undefined} or user_id > ${after ?? '00000000-0000-0000-0000-000000000000'}::uuid)
      order by user_id limit ${limit}`;
    return rows.map((row) => ({
      userId: row.user_id,
      role: row.role,
      joinedAt: row.joined_at.toISOString(),
      mutedUntil: row.muted_until?.toISOString() ?? null,
    }));
  }

  return { load, followedRooms, ownRooms, publicRooms, memberIds };
}

interface FollowedColumns {
  role: MemberRole;
  user_id: string;
  joined_seq: string;
  last_read_seq: string;
  unread: number;
  mentions: number;
  others: string[] | null;
}

interface OwnColumns extends FollowedColumns {
  active_at_ms: string | null;
  member_count: number;
  last_message_seq: string | null;
}

function toSummary(row: RoomRow): Omit<RoomSummaryRow, 'memberCount'> {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    topic: row.topic,
    visibility: row.visibility,
    history: row.history,
    slowModeSeconds: row.slow_mode_seconds,
    createdAt: row.created_at.toISOString(),
    seq: Number(row.seq),
  };
}

function toFollowedRoom(row: RoomRow & FollowedColumns): FollowedRoomRow {
  return {
    ...toSummary(row),
    role: row.role,
    joinedSeq: Number(row.joined_seq),
    lastReadSeq: Number(row.last_read_seq),
    unread: row.unread,
    mentions: row.mentions,
    others: row.others ?? [],
  };
}

function toOwnRoom(row: RoomRow & OwnColumns): OwnRoomRow {
  return {
    ...toFollowedRoom(row),
    memberCount: row.member_count,
    activeAtMs: Number(row.active_at_ms ?? 0),
    lastMessageSeq: row.last_message_seq === null ? null : Number(row.last_message_seq),
  };
}

function toState(row: LoadRow): RoomState {
  const members = new Map<string, MemberState>();
  for (const [userId, role, joinedSeq, mutedUntil] of row.members ?? []) {
    members.set(userId, { role, joinedSeq: Number(joinedSeq), mutedUntil: Number(mutedUntil ?? 0) });
  }
  const { seq: _seq, ...settings } = toSummary(row);
  const state = new RoomState(settings, members, row.deleted);
  for (const [userId, at] of row.posts ?? []) state.notePost(userId, { messageId: undefined, atMs: Number(at) });
  return state;
}
