/** Lists of rooms: the rooms of a user, with what is unread in each, and public rooms. */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import type { MemberRole } from '../../permissions.ts';
import { countColumns, countedColumns, countsInRoom, isUnread } from '../reads/unread-rule.ts';
import { type Room, type RoomRow, toRoom } from './room-rows.ts';

/** A room as the welcome of a socket names it. */
export interface FollowedRoom extends Omit<Room, 'memberCount'> {
  /** Of the user whose list it is. */
  readonly role: MemberRole;
  readonly joinedSeq: number;
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
  /** See `ReadState` of chat/reads; `seq` is of the same snapshot. */
  readonly readVersion: number;
  /** The other members of a direct message. */
  readonly others: readonly string[];
}

export interface OwnRoom extends FollowedRoom {
  readonly memberCount: number;
  /** Milliseconds since the epoch, of the newest event; lists are ordered by it. */
  readonly activeAtMs: number;
  readonly lastMessageSeq: number | null;
}

export interface FollowedRooms {
  /** The most recently active rooms, as many as a socket follows. */
  readonly followed: readonly FollowedRoom[];
  readonly beyond: readonly { readonly id: string; readonly seq: number }[];
}

export interface RoomLists {
  /** All rooms of a user, one snapshot per call; users of one tick share a query. */
  readonly followedRooms: (userId: string) => Promise<FollowedRooms>;
  /** The rooms of a user, newest activity first. @param after the last room of the page before */
  readonly ownRooms: (
    userId: string,
    after: { activeAtMs: number; id: string } | undefined,
    limit: number,
  ) => Promise<readonly OwnRoom[]>;
  /** Public rooms by name. Hides rooms that the viewer is banned from. @param query part of a name or topic; '' for all */
  readonly publicRooms: (
    viewerId: string,
    query: string,
    after: { name: string; id: string } | undefined,
    limit: number,
  ) => Promise<Room[]>;
}

export interface RoomListSettings extends UnreadBounds {
  readonly roomsPerSocket: number;
}

interface UnreadBounds {
  /** Unread messages are counted up to this number in each room. */
  readonly unreadMax: number;
  /** Unread messages are counted up to this number in one answer. */
  readonly unreadTotal: number;
}

const firstId = '00000000-0000-0000-0000-000000000000';

export function createRoomLists({ sql, settings }: { sql: Sql; settings: RoomListSettings }): RoomLists {
  return {
    followedRooms: coalesce((userIds: readonly string[]) => readFollowedRooms(sql, userIds, settings), {
      batchMax: 64,
      gatherMs,
    }),
    ownRooms: (userId, after, limit) => readOwnRooms(sql, { userId, after, limit }, settings),
    publicRooms: (viewerId, query, after, limit) => readPublicRooms(sql, { viewerId, query, after, limit }),
  };
}

// ── Queries ──

async function readFollowedRooms(
  sql: Sql,
  userIds: readonly string[],
  settings: RoomListSettings,
): Promise<FollowedRooms[]> {
  const rows = await sql<(RoomRow & FollowedColumns)[]>`
      with own as materialized (
        select *, row_number() over (partition by user_id order by active_at desc nulls last, id) as place,
          least(count(*) over (partition by user_id), ${settings.roomsPerSocket}::bigint) as of_rooms,
          sum(${pendingOfJoined(sql, settings)}) over (partition by user_id) as pending
        from (${memberships(sql, [...new Set(userIds)])}) joined
      )
      select own.*, unread.unread, unread.mentions, ${othersInOwn(sql)} as others
      from own cross join lateral (${unreadOfOwn(sql, settings)}) unread
      order by own.place`;
  const byUser = Map.groupBy(rows, (row) => row.user_id);
  return userIds.map((userId) => {
    const own = byUser.get(userId) ?? [];
    return {
      followed: own.slice(0, settings.roomsPerSocket).map(toFollowedRoom),
      beyond: own.slice(settings.roomsPerSocket).map(({ id, seq }) => ({ id, seq: Number(seq) })),
    };
  });
}

async function readOwnRooms(
  sql: Sql,
  { userId, after, limit }: { userId: string; after: { activeAtMs: number; id: string } | undefined; limit: number },
  bounds: UnreadBounds,
): Promise<OwnRoom[]> {
  const { activeAtMs, id } = after ?? { activeAtMs: 0, id: firstId };
  const rows = await sql<(RoomRow & OwnColumns)[]>`
      with joined as materialized (
        select *, (extract(epoch from active_at) * 1000)::bigint as active_at_ms from (${memberships(sql, [userId])}) joined
      ), own as materialized (
        select *, 1 as place, count(*) over () as of_rooms, sum(${pendingOfJoined(sql, bounds)}) over () as pending from (
          select * from joined
          where ${after === undefined} or active_at_ms < ${activeAtMs}::bigint or (active_at_ms = ${activeAtMs}::bigint and id > ${id}::uuid)
          order by active_at_ms desc nulls last, id limit ${limit}
        ) page
      )
      select own.*, unread.unread, unread.mentions, ${othersInOwn(sql)} as others, newest.seq as last_message_seq,
        (select count(*)::int from members c where c.room_id = own.id) as member_count
      from own cross join lateral (${unreadOfOwn(sql, bounds)}) unread
      left join lateral (
        select seq from events e where e.room_id = own.id and e.type = 'message.created' and e.deleted_at is null
          and ${sql.unsafe(countsInRoom('e'))} order by seq desc limit 1
      ) newest on true
      order by own.active_at_ms desc nulls last, own.id`;
  return rows.map(toOwnRoom);
}

async function readPublicRooms(
  sql: Sql,
  {
    viewerId,
    query,
    after,
    limit,
  }: { viewerId: string; query: string; after: { name: string; id: string } | undefined; limit: number },
): Promise<Room[]> {
  const rows = await sql<(RoomRow & { member_count: number })[]>`
      select r.*, false as deleted, coalesce((select seq from events e where e.room_id = r.id order by seq desc limit 1), 0) as seq,
        (select count(*)::int from members m where m.room_id = r.id) as member_count
      from rooms r
      where r.visibility = 'public' and r.kind = 'room' and r.deleted_at is null
        and not exists (select from moderation_bans b where b.user_id = ${viewerId} and b.room_id = r.id
          and b.lifted_at is null and (b.expires_at is null or b.expires_at > clock_timestamp()))
        and (${query} = '' or strpos(lower(r.name), lower(${query})) > 0 or strpos(lower(r.topic), lower(${query})) > 0)
        and (${after === undefined} or (r.name, r.id) > (${after?.name ?? ''}, ${after?.id ?? firstId}::uuid))
      order by r.name, r.id limit ${limit}`;
  return rows.map((row) => ({ ...toRoom(row), memberCount: row.member_count }));
}

// ── Parts of the queries of a user's rooms: `joined` are memberships, `own` those of them that are listed ──

/** The rooms of these users, with their heads. */
function memberships(sql: Sql, userIds: readonly string[]) {
  return sql`
      select m.user_id, m.role, m.joined_seq, r.id, r.kind, r.name, r.topic, r.visibility, r.history, r.slow_mode_seconds, r.pins, r.receipts, r.created_at,
        false as deleted, coalesce(head.seq, 0) as seq, head.at as active_at, least(coalesce(rs.last_read_seq, 0), coalesce(head.seq, 0)) as last_read_seq,
        coalesce(rs.version, 0) as read_version
      from members m
      join rooms r on r.id = m.room_id and r.deleted_at is null
      left join read_states rs on rs.user_id = m.user_id and rs.room_id = m.room_id
      left join lateral (select seq, at from events e where e.room_id = r.id order by seq desc limit 1) head on true
      where m.user_id = any(${userIds as string[]}::uuid[])`;
}

/** How many messages there are to count at most, known without reading them: a column of `joined`. */
function pendingOfJoined(sql: Sql, { unreadMax }: UnreadBounds) {
  return sql`least(${unreadMax}::bigint, seq - greatest(last_read_seq, joined_seq))`;
}

/**
 * What the member has not read in the room `own` since they joined it. Where the listed rooms together would have more
 * than `unreadTotal` to count, each room counts up to its share of that, so that the time of the answer is bounded.
 */
function unreadOfOwn(sql: Sql, { unreadMax, unreadTotal }: UnreadBounds) {
  return sql`
      select ${sql.unsafe(countColumns('u', 'own.user_id'))} from (
        select ${sql.unsafe(countedColumns)} from events e
        where own.place <= own.of_rooms and e.room_id = own.id
          and ${sql.unsafe(isUnread('e', 'own.user_id', 'greatest(own.last_read_seq, own.joined_seq)'))}
        order by e.seq desc limit case when own.pending <= ${unreadTotal}::bigint then ${unreadMax}::bigint
          else least(${unreadMax}::bigint, greatest(${unreadTotal}::bigint / own.of_rooms, 1)) end
      ) u`;
}

function othersInOwn(sql: Sql) {
  return sql`case when own.kind = 'dm' and own.place <= own.of_rooms then (
      select array_agg(o.user_id) from members o where o.room_id = own.id and o.user_id <> own.user_id) end`;
}

// ── Rows ──

interface FollowedColumns {
  role: MemberRole;
  user_id: string;
  joined_seq: string;
  last_read_seq: string;
  read_version: string;
  unread: number;
  mentions: number;
  others: string[] | null;
}

interface OwnColumns extends FollowedColumns {
  active_at_ms: string | null;
  member_count: number;
  last_message_seq: string | null;
}

function toFollowedRoom(row: RoomRow & FollowedColumns): FollowedRoom {
  return {
    ...toRoom(row),
    role: row.role,
    joinedSeq: Number(row.joined_seq),
    lastReadSeq: Number(row.last_read_seq),
    unread: row.unread,
    mentions: row.mentions,
    readVersion: Number(row.read_version),
    others: row.others ?? [],
  };
}

function toOwnRoom(row: RoomRow & OwnColumns): OwnRoom {
  return {
    ...toFollowedRoom(row),
    memberCount: row.member_count,
    activeAtMs: Number(row.active_at_ms ?? 0),
    lastMessageSeq: row.last_message_seq === null ? null : Number(row.last_message_seq),
  };
}
