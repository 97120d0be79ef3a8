/** The queue as moderators see it: each entry with its message, what was said around it, who complained, and the author's past. */
import { messageColumns, type StoredMessage, toMessageFields } from '../../chat/events/message-columns.ts';
import { type Message, type MessageFields, toMessage, unknownProfile } from '../../chat/state/message-shape.ts';
import type { Sql } from '../../database/connect.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/moderation-schemas.ts';
import type { Scope } from '../scope/moderator-access.ts';

export type QueueState = 'open' | 'approved' | 'removed';

export interface QueueEntry {
  readonly id: string;
  readonly state: QueueState;
  readonly source: 'report' | 'engine';
  readonly createdAt: string;
  readonly room: { readonly id: string; readonly name: string; readonly kind: 'room' | 'dm' };
  /** With its text also when it was taken away; without once its author deleted it. */
  readonly message: Message;
  readonly context: { readonly before: Message[]; readonly after: Message[] };
  readonly reportCount: number;
  readonly reports: { readonly reporter: PublicProfile; readonly reason: string; readonly createdAt: string }[];
  readonly labels: QueueLabel[];
  readonly rules: QueueRule[];
  readonly spamScore: number | null;
  readonly engineVersion: string | null;
  readonly author: QueueAuthor;
  readonly decision: { readonly by: PublicProfile; readonly at: string; readonly note: string | null } | null;
}

export interface QueueLabel {
  readonly name: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  readonly id: string;
}

interface QueueRule {
  readonly id: string;
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
  readonly action: 'flag' | 'block';
  readonly note: string | null;
}

interface QueueAuthor {
  readonly user: PublicProfile;
  readonly kind: 'user' | 'guest';
  readonly accountCreatedAt: string;
  readonly memberRole: string | null;
  readonly joinedAt: string | null;
  readonly mutedUntil: string | null;
  readonly banned: boolean;
  readonly messages: number;
  readonly reported: number;
  readonly removed: number;
  readonly blockedLastDay: number;
}

export interface QueueFilter {
  readonly scope: Scope;
  readonly state: QueueState;
  readonly after: Place | undefined;
  readonly limit: number;
}

export interface QueueRepository {
  /** Newest first, `limit` and one more. */
  readonly list: (filter: QueueFilter) => Promise<QueueEntry[]>;
  readonly find: (id: string, scope: Scope) => Promise<QueueEntry | undefined>;
  /** What a decision needs to know before it may see more. */
  readonly place: (id: string) => Promise<{ roomId: string; messageId: string; seq: number } | undefined>;
  readonly cursorOf: (entry: QueueEntry) => string;
}

/** Messages shown on each side. */
const contextMax = 3;
const reportsMax = 20;

interface MessageRow extends Omit<StoredMessage, 'actor_id'> {
  room_id: string;
  author_id: string;
}

interface EntryRow extends MessageRow {
  id: string;
  state: QueueState;
  source: 'report' | 'engine';
  created_at: Date;
  room_name: string;
  room_kind: 'room' | 'dm';
  kept_text: string | null;
  kept_html: string | null;
  labels: QueueLabel[];
  spam_score: number | null;
  engine_version: string | null;
  decided_by: string | null;
  decided_at: Date | null;
  note: string | null;
}

export function createQueueRepository({ sql, profiles }: { sql: Sql; profiles: Profiles }): QueueRepository {
  const shownColumns = () =>
    sql`e.room_id, ${sql.unsafe(messageColumns('e', { actor_id: 'e.actor_id as author_id' }))}`;

  const selectEntries = () => sql`
    select q.id, q.state, q.source, q.created_at, q.labels, q.spam_score, q.engine_version, q.decided_by, q.decided_at, q.note,
      r.name as room_name, r.kind as room_kind, kept.text as kept_text, kept.html as kept_html, ${shownColumns()}
    from moderation_queue q
    join events e on e.message_id = q.message_id and e.type = 'message.created'
    join rooms r on r.id = q.room_id and r.deleted_at is null
    left join moderation_removals kept on kept.message_id = q.message_id`;
  const within = ({ roomId, from }: Scope) =>
    roomId === undefined ? sql`true` : sql`q.room_id = ${roomId} and e.seq >= ${String(from)}`;

  async function list({ scope, state, after, limit }: QueueFilter): Promise<QueueEntry[]> {
    const rows = await sql<EntryRow[]>`
      ${selectEntries()}
      where q.state = ${state} and ${within(scope)}
        and ${after ? sql`(q.created_at, q.id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql`true`}
      order by q.created_at desc, q.id desc limit ${limit + 1}`;
    return complete(rows, scope);
  }

  async function find(id: string, scope: Scope): Promise<QueueEntry | undefined> {
    const rows = await sql<EntryRow[]>`${selectEntries()} where q.id = ${id} and ${within(scope)}`;
    return (await complete(rows, scope))[0];
  }

  async function complete(rows: readonly EntryRow[], scope: Scope): Promise<QueueEntry[]> {
    if (rows.length === 0) return [];
    const [around, reports, authors, rules] = await Promise.all([
      readAround(rows, scope),
      readReports(rows),
      readAuthors(rows, scope),
      readRules(rows),
    ]);
    const ids = new Set<string>();
    for (const row of rows) for (const id of [row.author_id, row.decided_by]) if (id) ids.add(id);
    for (const row of around) ids.add(row.author_id);
    for (const row of reports) ids.add(row.reporter_id);
    const people = await profiles.byIds([...ids]);
    const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);

    return rows.map((row): QueueEntry => {
      const ofEntry = around.filter((each) => each.queue_id === row.id);
      const side = (before: boolean) =>
        ofEntry
          .filter((each) => each.before === before)
          .map((each) => toMessage(toFields(each), profileOf(each.author_id)));
      const author = authors.get(`${row.room_id} ${row.author_id}`)!;
      return {
        id: row.id,
        state: row.state,
        source: row.source,
        createdAt: row.created_at.toISOString(),
        room: { id: row.room_id, name: row.room_name, kind: row.room_kind },
        message: toMessage(
          { ...toFields(row), ...(row.kept_text === null ? {} : { text: row.kept_text, html: row.kept_html ?? '' }) },
          profileOf(row.author_id),
        ),
        context: { before: side(true), after: side(false) },
        reportCount: reports.find((each) => each.queue_id === row.id)?.total ?? 0,
        reports: reports
          .filter((each) => each.queue_id === row.id)
          .map((each) => ({
            reporter: profileOf(each.reporter_id),
            reason: each.reason,
            createdAt: each.created_at.toISOString(),
          })),
        labels: row.labels,
        rules: rules.filter(({ id }) => row.labels.some((label) => label.id === `rule:${id}`)),
        spamScore: row.spam_score,
        engineVersion: row.engine_version,
        author: { user: profileOf(row.author_id), ...author },
        decision:
          row.decided_by && row.decided_at
            ? { by: profileOf(row.decided_by), at: row.decided_at.toISOString(), note: row.note }
            : null,
      };
    });
  }

  /** Nothing around a message of a direct-message room: the rest of it is between its people. */
  async function readAround(rows: readonly EntryRow[], { from }: Scope) {
    const open = rows.filter((row) => row.room_kind === 'room');
    return sql<(MessageRow & { queue_id: string; before: boolean })[]>`
      select q.id as queue_id, e.seq < q.seq as before, ${shownColumns()}
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

  async function readReports(rows: readonly EntryRow[]) {
    return sql<{ queue_id: string; reporter_id: string; reason: string; created_at: Date; total: number }[]>`
      select queue_id, reporter_id, reason, created_at, total from (
        select *, count(*) over (partition by queue_id)::int as total,
          row_number() over (partition by queue_id order by created_at) as place
        from moderation_reports where queue_id = any(${rows.map((row) => row.id)}::uuid[])
      ) r where place <= ${reportsMax} order by queue_id, place`;
  }

  /** A room's moderators learn what happened in their room; the staff, what happened anywhere. */
  async function readAuthors(
    rows: readonly EntryRow[],
    { roomId: only }: Scope,
  ): Promise<Map<string, Omit<QueueAuthor, 'user'>>> {
    const keys = [...new Set(rows.map((row) => `${row.room_id} ${row.author_id}`))].map((key) => key.split(' '));
    const here = only === undefined ? sql`true` : sql`x.room_id = k.room_id`;
    const found = await sql<
      {
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
      }[]
    >`
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
    return new Map(
      found.map((row) => [
        `${row.room_id} ${row.user_id}`,
        {
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
        },
      ]),
    );
  }

  async function readRules(rows: readonly EntryRow[]): Promise<QueueRule[]> {
    const ids = rows.flatMap(({ labels }) =>
      labels.flatMap(({ id }) => (/^rule:[0-9a-f-]{36}$/.test(id) ? [id.slice(5)] : [])),
    );
    if (ids.length === 0) return [];
    return sql<QueueRule[]>`
      select id, kind, pattern, action, note from moderation_rules where id = any(${[...new Set(ids)]}::uuid[])`;
  }

  return {
    list,
    find,
    place: async (id) => {
      const [row] = await sql<{ room_id: string; message_id: string; seq: bigint }[]>`
        select q.room_id, q.message_id, e.seq from moderation_queue q
        join events e on e.message_id = q.message_id and e.type = 'message.created' where q.id = ${id}`;
      return row && { roomId: row.room_id, messageId: row.message_id, seq: Number(row.seq) };
    },
    cursorOf: ({ createdAt, id }) => writeCursor([createdAt, id]),
  };
}

function toFields(row: MessageRow): MessageFields {
  return toMessageFields(row, row.room_id, 0);
}
