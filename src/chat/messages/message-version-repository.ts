/** SQL of what changes a stored message: its versions, its deletion, and what moderators may give back. */
import { and, eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { messageStreams, threads } from '../../database/tables/conversation-tables.ts';
import { events, messageEdits } from '../../database/tables/event-tables.ts';
import { moderationRemovals } from '../../database/tables/moderation-tables.ts';
import { Failure } from '../../errors.ts';
import { messageMarks } from '../state/message-marks.ts';

export interface MessagePlace {
  readonly roomId: string;
  readonly messageId: string;
}

/** The message as it is now, its row locked by the transaction. */
export interface MessageVersion {
  readonly authorId: string;
  readonly text: string;
  readonly html: string;
  readonly mentions: string[] | null;
  readonly mentionsAll: 'here' | 'room' | null;
  /** The message that starts its thread. */
  readonly threadId: string | null;
  /** Of `messageMarks`. */
  readonly marks: number;
  readonly deleted: boolean;
  /** 0 for a message that was never edited. */
  readonly version: number;
  /** The seq of the event that brought this version. */
  readonly seq: number;
  readonly at: Date;
}

/** The parts of a message that an edit or a late verdict replaces. */
export interface MessageText {
  readonly text: string;
  readonly html: string;
  readonly mentions: string[];
  readonly mentionsAll: 'here' | 'room' | null;
}

const createdRow = ({ roomId, messageId }: MessagePlace) =>
  and(eq(events.messageId, messageId), eq(events.type, 'message.created'), eq(events.roomId, roomId));
const nowMilliseconds = sql`date_trunc('milliseconds', now())`;

/** @throws Failure `not_found` */
export async function lockMessage(tx: Transaction, place: MessagePlace): Promise<MessageVersion> {
  const row = await lockRow(tx, place);
  if (!row) throw new Failure('not_found', 'no such message');
  const [edits] = await tx
    .select({ count: sql<number>`count(*)::int` })
    .from(messageEdits)
    .where(eq(messageEdits.messageId, place.messageId));
  return {
    authorId: row.actorId!,
    text: row.text ?? '',
    html: row.html ?? '',
    mentions: row.mentions,
    mentionsAll: row.mentionsAll,
    threadId: row.threadId,
    marks: (await startsThread(tx, place.messageId)) ? row.marks | messageMarks.thread : row.marks,
    deleted: row.deletedAt !== null,
    version: edits?.count ?? 0,
    seq: await findVersionSeq(tx, place, row.seq),
    at: row.editedAt ?? row.at,
  };
}

/** The row of a message, locked; undefined where there is none. */
export async function lockRow(tx: Transaction, place: MessagePlace): Promise<typeof events.$inferSelect | undefined> {
  const [row] = await tx.select().from(events).where(createdRow(place)).for('update');
  return row;
}

async function startsThread(tx: Transaction, messageId: string): Promise<boolean> {
  const [row] = await tx.select({ id: threads.threadId }).from(threads).where(eq(threads.threadId, messageId));
  return row !== undefined;
}

/** @throws Failure `conflict` for a message that is still being written word by word */
export async function requireFinished(tx: Transaction, messageId: string): Promise<void> {
  const [row] = await tx
    .select({ id: messageStreams.messageId })
    .from(messageStreams)
    .where(eq(messageStreams.messageId, messageId));
  if (row) throw new Failure('conflict', 'the message is still being written');
}

export async function hasMessage(tx: Transaction, messageId: string): Promise<boolean> {
  const [row] = await tx.select({ seq: events.seq }).from(events).where(eq(events.messageId, messageId)).limit(1);
  return row !== undefined;
}

/** Keeps the current version among the earlier ones and puts the next one in its place. */
export async function storeVersion(
  tx: Transaction,
  { roomId, messageId }: MessagePlace,
  { text, html, mentions, mentionsAll, version, seq, at }: MessageVersion,
  next: MessageText,
): Promise<void> {
  await tx.insert(messageEdits).values({ messageId, version, roomId, seq, text, html, mentions, mentionsAll, at });
  await tx
    .update(events)
    .set({ ...next, editedAt: nowMilliseconds })
    .where(and(eq(events.messageId, messageId), eq(events.type, 'message.created')));
}

/** Replaces how a message looks, without a new version. */
export async function storeRendering(
  tx: Transaction,
  { roomId, seq }: { readonly roomId: string; readonly seq: number },
  rendered: Omit<MessageText, 'text'>,
): Promise<void> {
  await tx
    .update(events)
    .set({ html: rendered.html, mentions: rendered.mentions, mentionsAll: rendered.mentionsAll })
    .where(and(eq(events.roomId, roomId), eq(events.seq, seq)));
}

/** The seq of the first deletion of a message; 0 where there is none. */
export async function findDeletionSeq(tx: Transaction, { roomId, messageId }: MessagePlace): Promise<number> {
  const [row] = await tx
    .select({ seq: events.seq })
    .from(events)
    .where(and(eq(events.roomId, roomId), eq(events.messageId, messageId), eq(events.type, 'message.deleted')))
    .limit(1);
  return row?.seq ?? 0;
}

/** The seq of the event that brought the newest version of a message. @param createdSeq of its `message.created` */
async function findVersionSeq(
  tx: Transaction,
  { roomId, messageId }: MessagePlace,
  createdSeq: number,
): Promise<number> {
  const [newest] = await tx
    .select({ seq: sql<number>`max(${events.seq})::int8`.mapWith(Number) })
    .from(events)
    .where(
      and(
        eq(events.roomId, roomId),
        eq(events.messageId, messageId),
        sql`${events.type} in ('message.created', 'message.updated')`,
        // An event that names itself brings a version as well: the end of a streamed message.
        sql`coalesce((${events.data} ->> 'versionSeq')::bigint, ${events.seq}) = ${events.seq}`,
        sql`${events.seq} >= ${createdSeq}`,
      ),
    );
  return newest?.seq ?? createdSeq;
}

/** Empties the message's row and deletes its earlier versions: readers get the tombstone from here on. */
export async function redact(tx: Transaction, place: MessagePlace, by: string): Promise<void> {
  await tx.delete(messageEdits).where(eq(messageEdits.messageId, place.messageId));
  await tx
    .update(events)
    .set({ text: '', html: '', mentions: null, deletedAt: nowMilliseconds, deletedBy: by })
    .where(createdRow(place));
}

/** Keeps a message's text and earlier versions where moderators can restore them from. Called before `redact`. */
export async function keepRemoved(
  tx: Transaction,
  place: MessagePlace,
  row: typeof events.$inferSelect,
): Promise<void> {
  const versions = await tx.select().from(messageEdits).where(eq(messageEdits.messageId, place.messageId));
  const kept = {
    authorId: row.actorId!,
    text: row.text ?? '',
    html: row.html ?? '',
    mentions: row.mentions,
    versions: versions.map((version) => ({ ...version, at: version.at.toISOString() })),
    removedAt: sql`now()`,
  };
  await tx
    .insert(moderationRemovals)
    .values({ ...place, ...kept })
    .onConflictDoUpdate({ target: moderationRemovals.messageId, set: kept });
}

/** Deletes what was kept of a removed message: it cannot be restored any more. */
export async function forgetRemoved(tx: Transaction, messageId: string): Promise<void> {
  await tx.delete(moderationRemovals).where(eq(moderationRemovals.messageId, messageId));
}

/**
 * Restores a removed message from what was kept of it.
 * @returns the seq of its newest version, and when that was written if it was an edit; undefined where nothing is kept
 */
export async function restoreRemoved(
  tx: Transaction,
  place: MessagePlace,
): Promise<{ versionSeq: number; editedAt: Date | null; threadId: string | null; marks: number } | undefined> {
  const [kept] = await tx
    .delete(moderationRemovals)
    .where(eq(moderationRemovals.messageId, place.messageId))
    .returning();
  if (!kept) return undefined;
  const { text, html, mentions } = kept;
  const [row] = await tx
    .update(events)
    .set({ text, html, mentions, deletedAt: null, deletedBy: null })
    .where(createdRow(place))
    .returning({ seq: events.seq, editedAt: events.editedAt, threadId: events.threadId, marks: events.marks });
  if (!row) return undefined;
  const versions = kept.versions as unknown as (Omit<typeof messageEdits.$inferInsert, 'at'> & { at: string })[];
  if (versions.length > 0)
    await tx.insert(messageEdits).values(versions.map((version) => ({ ...version, at: new Date(version.at) })));
  const marks = (await startsThread(tx, place.messageId)) ? row.marks | messageMarks.thread : row.marks;
  const { editedAt, threadId } = row;
  return { versionSeq: await findVersionSeq(tx, place, row.seq), editedAt, threadId, marks };
}
