/** SQL of messages that are being written word by word: what was received, and how much of it was judged. */
import { eq, sql } from 'drizzle-orm';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { messageStreams } from '../../database/tables/conversation-tables.ts';
import { events } from '../../database/tables/event-tables.ts';
import type { ExtrasSource } from '../messages/extras-loader.ts';
import type { Mentioned } from '../messages/mentioned-members.ts';
import { messageMarks } from '../state/message-marks.ts';

/** A message that is, or was, written word by word. */
export interface StreamPlace {
  readonly messageId: string;
  readonly roomId: string;
  readonly authorId: string;
}

/** The same as of now. */
export interface StreamView extends StreamPlace {
  readonly seq: number;
  readonly clientId: string | null;
  readonly isOpen: boolean;
  readonly isDeleted: boolean;
  /** It was finished for its writer. */
  readonly isInterrupted: boolean;
  /** Received so far, in UTF-16 units; 0 once it is finished. */
  readonly length: number;
}

/** What an open stream holds. */
export interface OpenStream {
  readonly text: string;
  readonly length: number;
  /** Readers see the text up to here, in UTF-16 units. */
  readonly judgedLength: number;
}

// ── Starting ──

/** @returns how many streams of the author are open. Until the transaction ends, no other one can start */
export async function countOpen(tx: Transaction, authorId: string): Promise<number> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`streams of ${authorId}`}, 0))`);
  return tx.$count(messageStreams, eq(messageStreams.authorId, authorId));
}

export async function openStream(tx: Transaction, place: StreamPlace): Promise<void> {
  await tx.insert(messageStreams).values(place);
}

// ── Writing ──

export async function findStream(db: Sql, messageId: string): Promise<StreamView | undefined> {
  const [row] = await db<
    {
      room_id: string;
      actor_id: string;
      seq: string;
      client_id: string | null;
      deleted: boolean;
      interrupted: boolean;
      length: number | null;
    }[]
  >`
    select e.room_id, e.actor_id, e.seq, e.client_id, e.deleted_at is not null as deleted,
      coalesce((e.data ->> 'interrupted')::boolean, false) as interrupted, s.length
    from events e left join message_streams s on s.message_id = e.message_id
    where e.message_id = ${messageId} and e.type = 'message.created' and e.marks & ${messageMarks.stream} <> 0`;
  return (
    row && {
      messageId,
      roomId: row.room_id,
      authorId: row.actor_id,
      seq: Number(row.seq),
      clientId: row.client_id,
      isOpen: row.length !== null,
      isDeleted: row.deleted,
      isInterrupted: row.interrupted,
      length: row.length ?? 0,
    }
  );
}

/**
 * Adds a piece where the text ends. An empty piece only says that the writer is there.
 * @param max code points of the whole text
 * @returns the length from now on; undefined if the text ends elsewhere, would be too long, or the message is gone
 */
export async function appendPiece(
  db: Sql,
  { messageId, authorId }: StreamPlace,
  { offset, text, max }: { readonly offset: number; readonly text: string; readonly max: number },
): Promise<number | undefined> {
  const [row] = await db<{ length: number }[]>`
    update message_streams s set text = s.text || ${text}, length = s.length + ${text.length}, touched_at = clock_timestamp()
    where s.message_id = ${messageId} and s.author_id = ${authorId} and s.length = ${offset}
      and char_length(s.text) + char_length(${text}::text) <= ${max}
      and exists (select from events e where e.message_id = s.message_id and e.type = 'message.created' and e.deleted_at is null)
    returning s.length`;
  return row?.length;
}

export async function readOpenStream(db: Sql, messageId: string): Promise<OpenStream | undefined> {
  const [row] = await db<{ text: string; length: number; judged_length: number }[]>`
    select text, length, judged_length from message_streams where message_id = ${messageId}`;
  return row && { text: row.text, length: row.length, judgedLength: row.judged_length };
}

/** An open stream, locked by the transaction. The message's row is locked before it. */
export async function lockStream(
  tx: Transaction,
  messageId: string,
  { idleMs, lifetimeMs }: { readonly idleMs: number; readonly lifetimeMs: number },
): Promise<(OpenStream & { readonly isOver: boolean }) | undefined> {
  const silence = sql`${messageStreams.touchedAt} < clock_timestamp() - ${idleMs} * interval '1 millisecond'`;
  const age = sql`${messageStreams.createdAt} < clock_timestamp() - ${lifetimeMs} * interval '1 millisecond'`;
  const [row] = await tx
    .select({
      text: messageStreams.text,
      length: messageStreams.length,
      judgedLength: messageStreams.judgedLength,
      isOver: sql<boolean>`${silence} or ${age}`,
    })
    .from(messageStreams)
    .where(eq(messageStreams.messageId, messageId))
    .for('update');
  return row;
}

/** Shows readers the text up to `end`. @param shown that part of the text, judged and rendered */
export async function showUpTo(
  tx: Transaction,
  messageId: string,
  { end, text, html }: { readonly end: number; readonly text: string; readonly html: string },
): Promise<void> {
  await tx.update(messageStreams).set({ judgedLength: end }).where(eq(messageStreams.messageId, messageId));
  await tx.update(events).set({ text, html }).where(isCreated(messageId));
}

// ── Ending ──

/** Gives the message its last text and closes the stream. */
export async function closeStream(
  tx: Transaction,
  messageId: string,
  final: Mentioned & { readonly text: string; readonly interrupted: boolean },
): Promise<void> {
  const { text, html, mentions, mentionsAll, interrupted } = final;
  const data = interrupted ? { data: sql`coalesce(${events.data}, '{}') || '{"interrupted": true}'` } : {};
  await tx
    .update(events)
    .set({ text, html, mentions, mentionsAll, ...data })
    .where(isCreated(messageId));
  await dropStreams(tx, [messageId]);
}

export async function dropStreams(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from message_streams where message_id = any(${`{${messageIds.join(',')}}`}::uuid[])`);
}

/** Streams whose writer is silent for too long, or that last for too long. */
export async function findOver(
  db: Sql,
  { idleMs, lifetimeMs, limit }: { readonly idleMs: number; readonly lifetimeMs: number; readonly limit: number },
): Promise<StreamPlace[]> {
  const rows = await db<{ message_id: string; room_id: string; author_id: string }[]>`
    select message_id, room_id, author_id from message_streams
    where touched_at < clock_timestamp() - ${idleMs} * interval '1 millisecond'
      or created_at < clock_timestamp() - ${lifetimeMs} * interval '1 millisecond'
    order by touched_at limit ${limit}`;
  return rows.map((row) => ({ messageId: row.message_id, roomId: row.room_id, authorId: row.author_id }));
}

/** The seq of the event that finished a message; 0 where there is none. */
export async function findFinishSeq(db: Sql, { messageId, roomId }: StreamPlace, createdSeq: number): Promise<number> {
  const [row] = await db<{ seq: string }[]>`
    select seq from events where room_id = ${roomId} and message_id = ${messageId} and type = 'message.updated'
      and seq > ${String(createdSeq)} and (data ->> 'versionSeq')::bigint = seq order by seq limit 1`;
  return Number(row?.seq ?? 0);
}

export async function deleteStreamsOf(tx: Transaction, authorId: string): Promise<void> {
  await tx.delete(messageStreams).where(eq(messageStreams.authorId, authorId));
}

export async function exportStreams(db: Database, authorId: string): Promise<object[]> {
  const rows = await db.select().from(messageStreams).where(eq(messageStreams.authorId, authorId));
  return rows.map(({ messageId, roomId, text, createdAt }) => ({ messageId, roomId, text, createdAt }));
}

const isCreated = (messageId: string) => sql`${events.messageId} = ${messageId} and ${events.type} = 'message.created'`;

/** Messages are shown as `streaming` while they are written, and as `interrupted` if they were finished for their writer. */
export const streamSource: ExtrasSource = {
  mark: 'stream',
  load: async (db, messageIds) => {
    const rows = await db.execute<{ id: string; streaming: boolean; interrupted: boolean }>(sql`
      select e.message_id as id, s.message_id is not null as streaming,
        coalesce((e.data ->> 'interrupted')::boolean, false) as interrupted
      from events e left join message_streams s on s.message_id = e.message_id
      where e.message_id = any(${`{${messageIds.join(',')}}`}::uuid[]) and e.type = 'message.created'`);
    return new Map(
      rows.map(({ id, streaming, interrupted }) => [
        id,
        { ...(streaming ? { streaming: true as const } : {}), ...(interrupted ? { interrupted: true as const } : {}) },
      ]),
    );
  },
  purge: dropStreams,
};
