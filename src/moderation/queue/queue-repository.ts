/** Reads the moderation queue: each entry with its message, the context, the reports, and the author's history. */
import { toMessage, unknownProfile } from '../../chat/state/message-shape.ts';
import type { Sql } from '../../database/connect.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/list-place.ts';
import type { Scope } from '../scope/moderator-access.ts';
import {
  authorKey,
  type ContextRow,
  type ReportRow,
  readAuthors,
  readContext,
  readReports,
  readRules,
} from './queue-detail-repository.ts';
import type { QueueAuthor, QueueEntry, QueueRule, QueueState } from './queue-entry.ts';
import { type EntryRow, shownColumns, toFields } from './queue-rows.ts';

export interface QueueFilter {
  readonly scope: Scope;
  readonly state: QueueState;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** The message that an entry is about. */
export interface EntryPlace {
  readonly roomId: string;
  readonly messageId: string;
  readonly seq: number;
}

export interface QueueRepository {
  /** Newest first, `limit` and one more. */
  readonly list: (filter: QueueFilter) => Promise<QueueEntry[]>;
  readonly find: (id: string, scope: Scope) => Promise<QueueEntry | undefined>;
  /** Enough to check whether the caller may see the entry. */
  readonly place: (id: string) => Promise<EntryPlace | undefined>;
  readonly cursorOf: (entry: QueueEntry) => string;
}

export function createQueueRepository({ sql, profiles }: { sql: Sql; profiles: Profiles }): QueueRepository {
  const selectEntries = () => sql`
    select q.id, q.state, q.source, q.created_at, q.labels, q.spam_score, q.engine_version, q.decided_by, q.decided_at, q.note,
      r.name as room_name, r.kind as room_kind, kept.text as kept_text, kept.html as kept_html, ${shownColumns(sql)}
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

  async function place(id: string): Promise<EntryPlace | undefined> {
    const [row] = await sql<{ room_id: string; message_id: string; seq: bigint }[]>`
      select q.room_id, q.message_id, e.seq from moderation_queue q
      join events e on e.message_id = q.message_id and e.type = 'message.created' where q.id = ${id}`;
    return row && { roomId: row.room_id, messageId: row.message_id, seq: Number(row.seq) };
  }

  async function complete(rows: readonly EntryRow[], scope: Scope): Promise<QueueEntry[]> {
    if (rows.length === 0) return [];
    const [context, reports, authors, rules] = await Promise.all([
      readContext(sql, rows, scope),
      readReports(sql, rows),
      readAuthors(sql, rows, scope),
      readRules(sql, rows),
    ]);
    const people = await profiles.byIds([...new Set(userIdsIn(rows, context, reports))]);
    const details = { context, reports, authors, rules, people };
    return rows.map((row) => toEntry(row, details));
  }

  return { list, find, place, cursorOf: ({ createdAt, id }) => writeCursor([createdAt, id]) };
}

function userIdsIn(rows: readonly EntryRow[], context: readonly ContextRow[], reports: readonly ReportRow[]): string[] {
  return [
    ...rows.flatMap((row) => [row.author_id, row.decided_by]),
    ...context.map((row) => row.author_id),
    ...reports.map((row) => row.reporter_id),
  ].filter((id) => id !== null);
}

interface Details {
  readonly context: readonly ContextRow[];
  readonly reports: readonly ReportRow[];
  /** By `authorKey`. */
  readonly authors: ReadonlyMap<string, Omit<QueueAuthor, 'user'>>;
  readonly rules: readonly QueueRule[];
  readonly people: ReadonlyMap<string, PublicProfile>;
}

/** Puts an entry together from the details of all entries of its page. */
function toEntry(row: EntryRow, { context, reports, authors, rules, people }: Details): QueueEntry {
  const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);
  const around = context.filter((each) => each.queue_id === row.id);
  const side = (before: boolean) =>
    around.filter((each) => each.before === before).map((each) => toMessage(toFields(each), profileOf(each.author_id)));
  const ofEntry = reports.filter((each) => each.queue_id === row.id);
  const kept = row.kept_text === null ? {} : { text: row.kept_text, html: row.kept_html ?? '' };
  const { decided_by: decidedBy, decided_at: decidedAt, note } = row;
  return {
    id: row.id,
    state: row.state,
    source: row.source,
    createdAt: row.created_at.toISOString(),
    room: { id: row.room_id, name: row.room_name, kind: row.room_kind },
    message: toMessage({ ...toFields(row), ...kept }, profileOf(row.author_id)),
    context: { before: side(true), after: side(false) },
    reportCount: ofEntry[0]?.total ?? 0,
    reports: ofEntry.map((report) => ({
      reporter: profileOf(report.reporter_id),
      reason: report.reason,
      createdAt: report.created_at.toISOString(),
    })),
    labels: row.labels,
    rules: rules.filter(({ id }) => row.labels.some((label) => label.id === `rule:${id}`)),
    spamScore: row.spam_score,
    engineVersion: row.engine_version,
    author: { user: profileOf(row.author_id), ...authors.get(authorKey(row))! },
    decision: decidedBy && decidedAt ? { by: profileOf(decidedBy), at: decidedAt.toISOString(), note } : null,
  };
}
