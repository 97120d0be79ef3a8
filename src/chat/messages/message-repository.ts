/** Messages as rows: pages of history, one message, its thread and its earlier versions. */
import type { Sql } from '../../database/connect.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import { type Message, type MessageFields, messageJson, toMessage, unknownProfile } from '../state/message-shape.ts';

interface MessageRow {
  room_id: string;
  seq: string;
  message_id: string;
  actor_id: string;
  client_id: string | null;
  text: string;
  html: string;
  mentions: string[] | null;
  reply_to: string | null;
  reply_count: number;
  at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
}

type HistoryRow = Omit<MessageRow, 'room_id' | 'reply_count'> & { readonly reply_count: number | null };

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

/** A page of history: each message as its JSON. */
export interface JsonPage {
  readonly messages: string[];
  readonly hasMore: boolean;
}

export interface MessageRepository {
  /** The newest messages of a room, of those with `from` ≤ seq ≤ `head`, in seq order; `head` is the room's position. */
  readonly newest: (roomId: string, head: number, from: number, limit: number) => Promise<JsonPage>;
  /** The newest messages with `from` ≤ seq < `before`, in seq order. */
  readonly before: (roomId: string, before: number, from: number, limit: number) => Promise<JsonPage>;
  /** The oldest messages with `after` < seq ≤ `to`, in seq order. */
  readonly after: (roomId: string, after: number, to: number, limit: number) => Promise<JsonPage>;
  readonly find: (roomId: string, messageId: string) => Promise<Message | undefined>;
  readonly bySeqs: (places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  readonly replies: (roomId: string, messageId: string, after: number, to: number, limit: number) => Promise<Page>;
  /** Versions from number `from` on, the oldest first. */
  readonly edits: (messageId: string, from: number, limit: number) => Promise<MessageEdit[]>;
  /** The seq that a sender's key got in a room, if it was ever used. */
  readonly findKey: (
    roomId: string,
    userId: string,
    clientId: string,
  ) => Promise<{ messageId: string; seq: number; digest: bigint; atMs: number } | undefined>;
}

export function createMessageRepository({ sql, profiles }: { sql: Sql; profiles: Profiles }): MessageRepository {
  const columns =
    () => sql`e.room_id, e.seq, e.message_id, e.actor_id, e.client_id, e.text, e.html, e.mentions, e.reply_to, e.at,
    e.edited_at, e.deleted_at,
    (select count(*)::int from events r where r.reply_to = e.message_id and r.deleted_at is null) as reply_count`;

  async function toMessages(rows: readonly MessageRow[]): Promise<Message[]> {
    const people = await profiles.byIds([...new Set(rows.map((row) => row.actor_id))]);
    return rows.map((row) => toMessage(toFields(row), people.get(row.actor_id) ?? unknownProfile(row.actor_id)));
  }

  async function toPage(rows: readonly MessageRow[], limit: number): Promise<Page> {
    return { messages: await toMessages(rows.slice(0, limit)), hasMore: rows.length > limit };
  }

  /** The same for history, which is asked for most: no more is read than is shown, and nothing is made but its text. */
  async function toJsonPage(
    roomId: string,
    rows: readonly HistoryRow[],
    limit: number,
    newestFirst: boolean,
  ): Promise<JsonPage> {
    const kept = rows.slice(0, limit);
    const people = await profiles.byIds([...new Set(kept.map((row) => row.actor_id))]);
    const messages = kept.map((row) =>
      messageJson(
        toFields({ ...row, room_id: roomId, reply_count: row.reply_count ?? 0 }),
        people.get(row.actor_id) ?? unknownProfile(row.actor_id),
      ),
    );
    return { messages: newestFirst ? messages.reverse() : messages, hasMore: rows.length > limit };
  }

  /** Replies are counted for a whole page at once: asking for each message costs more than the page itself. */
  function history(range: ReturnType<typeof sql>, order: ReturnType<typeof sql>) {
    return sql<HistoryRow[]>`
      with page as materialized (
        select seq, message_id, actor_id, client_id, text, html, mentions, reply_to, at, edited_at, deleted_at
        from events where ${range} and type = 'message.created' ${order}
      ), replies as (
        select reply_to, count(*)::int as reply_count from events
        where reply_to = any(array(select message_id from page)) and deleted_at is null group by reply_to
      )
      select page.seq, page.message_id, page.actor_id, page.client_id, page.text, page.html, page.mentions, page.reply_to, page.at,
        page.edited_at, page.deleted_at, replies.reply_count
      from page left join replies on replies.reply_to = page.message_id ${order}`;
  }

  async function newest(roomId: string, head: number, from: number, limit: number): Promise<JsonPage> {
    const rows = await sql<Omit<HistoryRow, 'reply_count'>[]>`
      select seq, message_id, actor_id, client_id, text, html, mentions, reply_to, at, edited_at, deleted_at from events
      where room_id = ${roomId} and seq <= ${String(head)} and seq >= ${String(from)} and type = 'message.created'
      order by seq desc limit ${limit + 1}`;
    const replies = countReplies(rows.map(({ reply_to: replyTo, deleted_at: deletedAt }) => ({ replyTo, deletedAt })));
    const counted = rows.map((row) => ({ ...row, reply_count: replies.get(row.message_id) ?? 0 }));
    return toJsonPage(roomId, counted, limit, true);
  }

  async function before(roomId: string, beforeSeq: number, from: number, limit: number): Promise<JsonPage> {
    const rows = await history(
      sql`room_id = ${roomId} and seq < ${String(beforeSeq)} and seq >= ${String(from)}`,
      sql`order by seq desc limit ${limit + 1}`,
    );
    return toJsonPage(roomId, rows, limit, true);
  }

  async function after(roomId: string, afterSeq: number, to: number, limit: number): Promise<JsonPage> {
    const rows = await history(
      sql`room_id = ${roomId} and seq > ${String(afterSeq)} and seq <= ${String(to)}`,
      sql`order by seq limit ${limit + 1}`,
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
      order by e.seq limit ${limit + 1}`;
    return toPage(rows, limit);
  }

  async function edits(messageId: string, from: number, limit: number): Promise<MessageEdit[]> {
    const rows = await sql<{ version: number; text: string; html: string; at: Date }[]>`
      select version, text, html, at from message_edits where message_id = ${messageId} and version >= ${String(from)}::bigint order by version limit ${limit}`;
    return rows.map((row) => ({ version: row.version, text: row.text, html: row.html, at: row.at.toISOString() }));
  }

  async function findKey(roomId: string, userId: string, clientId: string) {
    const [row] = await sql<{ message_id: string; seq: string; digest: bigint; at: Date }[]>`
      select message_id, seq, digest, at from events where room_id = ${roomId} and actor_id = ${userId} and client_id = ${clientId}`;
    return (
      row && { messageId: row.message_id, seq: Number(row.seq), digest: BigInt(row.digest), atMs: row.at.getTime() }
    );
  }

  return { newest, before, after, find, bySeqs, replies, edits, findKey };
}

/** What answers a message comes after it: of the newest messages all answers are among them, and cost no look of their own. */
export function countReplies(
  newest: readonly { readonly replyTo: string | null; readonly deletedAt: Date | string | null }[],
): ReadonlyMap<string, number> {
  const replies = new Map<string, number>();
  for (const { replyTo, deletedAt } of newest)
    if (replyTo !== null && deletedAt === null) replies.set(replyTo, (replies.get(replyTo) ?? 0) + 1);
  return replies;
}

function toFields(row: MessageRow): MessageFields {
  const deletedAt = row.deleted_at?.toISOString() ?? null;
  return {
    id: row.message_id,
    roomId: row.room_id,
    seq: Number(row.seq),
    text: deletedAt ? '' : row.text,
    html: deletedAt ? '' : row.html,
    mentions: deletedAt ? [] : (row.mentions ?? []),
    replyTo: row.reply_to,
    replyCount: row.reply_count,
    clientId: row.client_id,
    createdAt: row.at.toISOString(),
    editedAt: row.edited_at?.toISOString() ?? null,
    deletedAt,
  };
}
