/** What moderators see beside a queue entry: the context of its message, its reports, its rules, and its author's history. */
import type { Sql } from '../../database/connect.ts';
import type { Scope } from '../scope/moderator-access.ts';
import type { QueueAuthor, QueueRule } from './queue-entry.ts';
import { type EntryRow, type MessageRow, shownColumns } from './queue-rows.ts';

/** Messages shown on each side of an entry's message. */
const contextMax = 3;
const reportsMax = 20;

export interface ContextRow extends MessageRow {
  queue_id: string;
  /** Whether it came before the entry's message. */
  before: boolean;
}

export interface ReportRow {
  queue_id: string;
  reporter_id: string;
  reason: string;
  created_at: Date;
  /** Reports of the entry. */
  total: number;
}

interface AuthorRow {
  room_id: string;
  user_id: string;
  kind: 'user' | 'guest' | null;
  created_at: Date | null;
  role: string | null;
  joined_at: Date | null;
  muted_until: Date | null;
  banned: boolean;
  messages: number;
  reported: number;
  removed: number;
  blocked: number;
}

/** One author in one room. */
export function authorKey({ room_id, author_id }: { room_id: string; author_id: string }): string {
  return `${room_id} ${author_id}`;
}

/** The messages before and after each entry's message. None in direct messages: moderators see only what was reported or flagged. */
export async function readContext(sql: Sql, rows: readonly EntryRow[], { from }: Scope): Promise<ContextRow[]> {
  const open = rows.filter((row) => row.room_kind === 'room');
  return sql<ContextRow[]>`
    select q.id as queue_id, e.seq < q.seq as before, ${shownColumns(sql)}
    from unnest(${open.map((row) => row.id)}::uuid[], ${open.map((row) => row.room_id)}::uuid[], ${open.map((row) => String(row.seq))}::bigint[])
      as q(id, room_id, seq)
    cross join lateral (
      (select * from events b where b.room_id = q.room_id and b.type = 'message.created' and b.seq < q.seq and b.seq >= ${String(from)}
        order by b.seq desc limit ${contextMax})
      union all
      (select * from events a where a.room_id = q.room_id and a.type = 'message.created' and a.seq > q.seq order by a.seq limit ${contextMax})
    ) e
    order by q.id, e.seq`;
}

/** The first reports of each entry, and how many there are. */
export async function readReports(sql: Sql, rows: readonly EntryRow[]): Promise<ReportRow[]> {
  return sql<ReportRow[]>`
    select queue_id, reporter_id, reason, created_at, total from (
      select *, count(*) over (partition by queue_id)::int as total,
        row_number() over (partition by queue_id order by created_at) as place
      from moderation_reports where queue_id = any(${rows.map((row) => row.id)}::uuid[])
    ) r where place <= ${reportsMax} order by queue_id, place`;
}

/**
 * The history of each author in the entry's room. Moderators of a room learn what happened in their room, staff what happened
 * anywhere.
 * @returns by `authorKey`
 */
export async function readAuthors(
  sql: Sql,
  rows: readonly EntryRow[],
  { roomId: only }: Scope,
): Promise<Map<string, Omit<QueueAuthor, 'user'>>> {
  const keys = [...new Set(rows.map((row) => authorKey(row)))].map((key) => key.split(' '));
  const here = only === undefined ? sql`true` : sql`x.room_id = k.room_id`;
  const found = await sql<AuthorRow[]>`
    select k.room_id, k.user_id, u.kind, u.created_at, m.role, m.joined_at,
      case when m.muted_until > now() then m.muted_until end as muted_until,
      exists (select 1 from moderation_bans x where x.user_id = k.user_id and (x.room_id is null or x.room_id = k.room_id)
        and x.lifted_at is null and (x.expires_at is null or x.expires_at > now())) as banned,
      (select count(*)::int from (select 1 from events x where x.room_id = k.room_id and x.actor_id = k.user_id
        and x.client_id is not null limit 1000) said) as messages,
      past.reported, past.removed,
      (select count(*)::int from moderation_blocks x where x.author_id = k.user_id and ${here} and x.created_at > now() - interval '1 day') as blocked
    from unnest(${keys.map(([roomId]) => roomId!)}::uuid[], ${keys.map(([, userId]) => userId!)}::uuid[]) as k(room_id, user_id)
    left join users u on u.id = k.user_id
    left join members m on m.room_id = k.room_id and m.user_id = k.user_id
    cross join lateral (
      select count(*)::int as reported, (count(*) filter (where x.state = 'removed'))::int as removed from moderation_queue x
      where x.author_id = k.user_id and ${here} and x.created_at > now() - interval '30 days'
    ) past`;
  return new Map(found.map((row) => [authorKey({ room_id: row.room_id, author_id: row.user_id }), toAuthor(row)]));
}

function toAuthor(row: AuthorRow): Omit<QueueAuthor, 'user'> {
  return {
    kind: row.kind ?? 'user',
    accountCreatedAt: (row.created_at ?? new Date(0)).toISOString(),
    memberRole: row.role,
    joinedAt: row.joined_at?.toISOString() ?? null,
    mutedUntil: row.muted_until?.toISOString() ?? null,
    banned: row.banned,
    messages: row.messages,
    reported: row.reported,
    removed: row.removed,
    blockedLastDay: row.blocked,
  };
}

/** The rules that the entries' labels refer to. */
export async function readRules(sql: Sql, rows: readonly EntryRow[]): Promise<QueueRule[]> {
  const ids = rows.flatMap(({ labels }) =>
    labels.flatMap(({ id }) => (/^rule:[0-9a-f-]{36}$/.test(id) ? [id.slice(5)] : [])),
  );
  if (ids.length === 0) return [];
  return sql<QueueRule[]>`
    select id, kind, pattern, action, note from moderation_rules where id = any(${[...new Set(ids)]}::uuid[])`;
}
