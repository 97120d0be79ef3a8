/** SQL that reads messages: pages of history, one message, its thread and its earlier versions. */
import type { Sql } from '../../database/connect.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import { isInRoom, messageColumns, type StoredMessage, toMessageFields } from '../events/message-columns.ts';
import { type Message, messageJson, toMessage, unknownProfile } from '../state/message-shape.ts';
import type { ExtrasLoader } from './extras-loader.ts';

interface MessageRow extends StoredMessage {
  room_id: string;
  reply_count: number;
}

type HistoryRow = StoredMessage & { readonly reply_count: number | null };

export interface MessageEdit {
  readonly version: number;
  readonly text: string;
  readonly html: string;
  readonly at: string;
}

export interface Page {
  readonly messages: Message[];
  readonly hasMore: boolean;
}

export interface ThreadStart {
  readonly threadId: string;
  readonly seq: number;
  readonly authorId: string;
}

/** A page of history: each message as its JSON. */
export interface JsonPage {
  readonly messages: string[];
  readonly hasMore: boolean;
}

/** A page with the room's newest seq as of the read. */
export interface PositionedPage extends JsonPage {
  readonly seq: number;
}

export interface MessageRepository {
  /** The newest messages with `from` ≤ seq ≤ `head`, in seq order; `head` is the room's position. */
  readonly newest: (roomId: string, head: number, from: number, limit: number) => Promise<JsonPage>;
  /** The newest messages with `from` ≤ seq < `before`, in seq order; `head` is the room's position. */
  readonly before: (
    roomId: string,
    range: { before: number; head: number; from: number; limit: number; scope: HistoryScope },
  ) => Promise<JsonPage>;
  /** The oldest messages with `after` < seq ≤ `to`, in seq order; `to` is the room's position. */
  readonly after: (
    roomId: string,
    range: { after: number; to: number; limit: number; scope: HistoryScope },
  ) => Promise<JsonPage>;
  readonly find: (roomId: string, messageId: string) => Promise<Message | undefined>;
  readonly bySeqs: (places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  readonly replies: (roomId: string, messageId: string, after: number, to: number, limit: number) => Promise<Page>;
  /**
   * The message that starts the thread of a message, which may be the message itself; `seq` is its own. A message that was
   * deleted starts no thread, but the thread that it started stays.
   */
  readonly findThread: (roomId: string, messageId: string) => Promise<ThreadStart | undefined>;
  /** Versions from number `from` on, the oldest first. */
  readonly edits: (messageId: string, from: number, limit: number) => Promise<MessageEdit[]>;
  /** The message that a sender's clientId was used for in a room, if any. */
  readonly findKey: (
    roomId: string,
    userId: string,
    clientId: string,
  ) => Promise<{ messageId: string; seq: number; digest: bigint; atMs: number } | undefined>;
}

export interface MessageRepositoryOptions {
  readonly sql: Sql;
  readonly profiles: Profiles;
  readonly extras: Pick<ExtrasLoader, 'find'>;
}

/** Which messages of a room a page holds: its own history, everything, or one thread. */
export type HistoryScope = { readonly threads: 'none' | 'all' } | { readonly threadId: string };

export function createMessageRepository({ sql, profiles, extras }: MessageRepositoryOptions): MessageRepository {
  const columns = () => sql`e.room_id, ${sql.unsafe(messageColumns('e'))},
    (select count(*)::int from events r where r.reply_to = e.message_id and r.deleted_at is null and ${sql.unsafe(isInRoom('r'))}) as reply_count`;
  const scoped = (scope: HistoryScope) => {
    if ('threadId' in scope) return sql`and thread_id = ${scope.threadId}`;
    return scope.threads === 'all' ? sql`` : sql`and ${sql.unsafe(isInRoom('events'))}`;
  };

  async function toMessages(rows: readonly MessageRow[]): Promise<Message[]> {
    const people = await profiles.byIds([...new Set(rows.map((row) => row.actor_id))]);
    const found = await extras.find(rows.map(markedOf));
    return rows.map((row) =>
      toMessage(
        toMessageFields(row, row.room_id, row.reply_count, found.get(row.message_id)),
        people.get(row.actor_id) ?? unknownProfile(row.actor_id),
      ),
    );
  }

  async function toPage(rows: readonly MessageRow[], limit: number): Promise<Page> {
    return { messages: await toMessages(rows.slice(0, limit)), hasMore: rows.length > limit };
  }

  /** The same for history, the most frequent read: rows become JSON at once, without message objects between. */
  async function toJsonPage(
    roomId: string,
    rows: readonly HistoryRow[],
    limit: number,
    newestFirst: boolean,
  ): Promise<JsonPage> {
    const kept = rows.slice(0, limit);
    const people = await profiles.byIds([...new Set(kept.map((row) => row.actor_id))]);
    const found = await extras.find(kept.map(markedOf));
    const messages = kept.map((row) =>
      messageJson(
        toMessageFields(row, roomId, row.reply_count ?? 0, found.get(row.message_id)),
        people.get(row.actor_id) ?? unknownProfile(row.actor_id),
      ),
    );
    return { messages: newestFirst ? messages.reverse() : messages, hasMore: rows.length > limit };
  }

  /**
   * Counts replies for a whole page at once: a query for each message costs more than the page itself. Replies beyond `head` do not
   * count: the answer names it as its seq, and readers count what comes after it.
   */
  function history(range: ReturnType<typeof sql>, order: ReturnType<typeof sql>, head: number) {
    return sql<HistoryRow[]>`
      with page as materialized (
        select ${sql.unsafe(messageColumns('events'))} from events where ${range} and type = 'message.created' ${order}
      ), replies as (
        select reply_to, count(*)::int as reply_count from events
        where reply_to = any(array(select message_id from page)) and seq <= ${String(head)} and deleted_at is null and ${sql.unsafe(isInRoom('events'))}
        group by reply_to
      )
      select ${sql.unsafe(messageColumns('page', { marks: 'page.marks' }))}, replies.reply_count
      from page left join replies on replies.reply_to = page.message_id ${order}`;
  }

  async function newest(roomId: string, head: number, from: number, limit: number): Promise<JsonPage> {
    const rows = await sql<StoredMessage[]>`
      select ${sql.unsafe(messageColumns('events'))} from events
      where room_id = ${roomId} and seq <= ${String(head)} and seq >= ${String(from)} and type = 'message.created'
        and ${sql.unsafe(isInRoom('events'))}
      order by seq desc limit ${limit + 1}`;
    const replies = countReplies(rows.map(({ reply_to: replyTo, deleted_at: deletedAt }) => ({ replyTo, deletedAt })));
    const counted = rows.map((row) => ({ ...row, reply_count: replies.get(row.message_id) ?? 0 }));
    return toJsonPage(roomId, counted, limit, true);
  }

  async function before(
    roomId: string,
    {
      before: beforeSeq,
      head,
      from,
      limit,
      scope,
    }: { before: number; head: number; from: number; limit: number; scope: HistoryScope },
  ): Promise<JsonPage> {
    const rows = await history(
      sql`room_id = ${roomId} and seq < ${String(beforeSeq)} and seq >= ${String(from)} ${scoped(scope)}`,
      sql`order by seq desc limit ${limit + 1}`,
      head,
    );
    return toJsonPage(roomId, rows, limit, true);
  }

  async function after(
    roomId: string,
    { after: afterSeq, to, limit, scope }: { after: number; to: number; limit: number; scope: HistoryScope },
  ): Promise<JsonPage> {
    const rows = await history(
      sql`room_id = ${roomId} and seq > ${String(afterSeq)} and seq <= ${String(to)} ${scoped(scope)}`,
      sql`order by seq limit ${limit + 1}`,
      to,
    );
    return toJsonPage(roomId, rows, limit, false);
  }

  async function find(roomId: string, messageId: string): Promise<Message | undefined> {
    const rows = await sql<MessageRow[]>`
      select ${columns()} from events e where e.message_id = ${messageId} and e.type = 'message.created' and e.room_id = ${roomId}`;
    return (await toMessages(rows))[0];
  }

  async function bySeqs(places: readonly { roomId: string; seq: number }[]): Promise<Message[]> {
    if (places.length === 0) return [];
    const rows = await sql<MessageRow[]>`
      select ${columns()} from unnest(${places.map((place) => place.roomId)}::uuid[], ${places.map((place) => String(place.seq))}::bigint[]) as p(room_id, seq)
      join events e on e.room_id = p.room_id and e.seq = p.seq and e.type = 'message.created'`;
    return toMessages(rows);
  }

  async function replies(
    roomId: string,
    messageId: string,
    afterSeq: number,
    to: number,
    limit: number,
  ): Promise<Page> {
    const rows = await sql<MessageRow[]>`
      select ${columns()} from events e
      where e.reply_to = ${messageId} and e.room_id = ${roomId} and e.type = 'message.created' and e.seq > ${String(afterSeq)} and e.seq <= ${String(to)}
        and ${sql.unsafe(isInRoom('e'))}
      order by e.seq limit ${limit + 1}`;
    return toPage(rows, limit);
  }

  async function edits(messageId: string, from: number, limit: number): Promise<MessageEdit[]> {
    const rows = await sql<{ version: number; text: string; html: string; at: Date }[]>`
      select version, text, html, at from message_edits where message_id = ${messageId} and version >= ${String(from)}::bigint order by version limit ${limit}`;
    return rows.map((row) => ({ version: row.version, text: row.text, html: row.html, at: row.at.toISOString() }));
  }

  async function findThread(roomId: string, messageId: string): Promise<ThreadStart | undefined> {
    const [row] = await sql<{ id: string; seq: string; actor_id: string }[]>`
      select r.message_id as id, r.seq, r.actor_id from events e join events r on r.message_id = coalesce(e.thread_id, e.message_id)
        and r.type = 'message.created' and r.room_id = e.room_id
      where e.message_id = ${messageId} and e.type = 'message.created' and e.room_id = ${roomId}
        and (r.deleted_at is null or exists (select from threads t where t.thread_id = r.message_id))`;
    return row && { threadId: row.id, seq: Number(row.seq), authorId: row.actor_id };
  }

  return { newest, before, after, find, findThread, bySeqs, replies, edits, findKey: (...key) => findKey(sql, ...key) };
}

async function findKey(sql: Sql, roomId: string, userId: string, clientId: string) {
  const [row] = await sql<{ message_id: string; seq: string; digest: bigint; at: Date }[]>`
    select message_id, seq, digest, at from events where room_id = ${roomId} and actor_id = ${userId} and client_id = ${clientId}`;
  return row && { messageId: row.message_id, seq: Number(row.seq), digest: BigInt(row.digest), atMs: row.at.getTime() };
}

function markedOf({ message_id: id, marks }: StoredMessage) {
  return { id, marks };
}

/** Replies come after their message, so all replies to the newest messages are among them and need no query. */
export function countReplies(
  newest: readonly { readonly replyTo: string | null; readonly deletedAt: Date | string | null }[],
): ReadonlyMap<string, number> {
  const replies = new Map<string, number>();
  for (const { replyTo, deletedAt } of newest)
    if (replyTo !== null && deletedAt === null) replies.set(replyTo, (replies.get(replyTo) ?? 0) + 1);
  return replies;
}
