/**
 * How a message's text goes, and comes back. Its author's deletion is for good. A moderator's is not: readers get the same
 * tombstone, and the text is kept where only moderators see it, until they give it back, the author deletes it, or it is
 * too old.
 */
import { and, eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { events, messageEdits } from '../../database/tables/event-tables.ts';
import { moderationRemovals } from '../../database/tables/moderation-tables.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';

export interface MessagePlace {
  readonly roomId: string;
  readonly messageId: string;
}

const rowOf = ({ roomId, messageId }: MessagePlace) =>
  and(eq(events.messageId, messageId), eq(events.type, 'message.created'), eq(events.roomId, roomId));

/** After this every reader gets the tombstone: the text is gone from the row and its versions from the table. */
export async function redact(tx: Transaction, place: MessagePlace, by: string): Promise<void> {
  await tx.delete(messageEdits).where(eq(messageEdits.messageId, place.messageId));
  await tx
    .update(events)
    .set({ text: '', html: '', mentions: null, deletedAt: sql`date_trunc('milliseconds', now())`, deletedBy: by })
    .where(rowOf(place));
}

/** Nothing of a message that moderators took away is left to give back. */
export async function forgetRemoved(tx: Transaction, messageId: string): Promise<void> {
  await tx.delete(moderationRemovals).where(eq(moderationRemovals.messageId, messageId));
}

/**
 * A moderator takes a message away.
 * @returns the event for the plan of the transaction; none when the message was gone already
 */
export async function withdraw({ tx }: AppendContext, place: MessagePlace, by: string): Promise<DraftEvent[]> {
  const [row] = await tx.select().from(events).where(rowOf(place)).for('update');
  if (!row || row.deletedAt !== null) return [];
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
  await redact(tx, place, by);
  const { messageId } = place;
  return [{ type: 'message.deleted', actorId: by, messageId, data: { messageId, by } }];
}

/**
 * A moderator gives a message back as it was, its earlier versions with it.
 * @returns the event for the plan of the transaction; none when there is nothing to give back
 */
export async function giveBack({ tx }: AppendContext, place: MessagePlace, by: string): Promise<DraftEvent[]> {
  const { messageId } = place;
  const [kept] = await tx.delete(moderationRemovals).where(eq(moderationRemovals.messageId, messageId)).returning();
  if (!kept) return [];
  const { text, html, mentions } = kept;
  const [row] = await tx
    .update(events)
    .set({ text, html, mentions, deletedAt: null, deletedBy: null })
    .where(rowOf(place))
    .returning({ seq: events.seq, editedAt: events.editedAt });
  if (!row) return [];
  const versions = kept.versions as unknown as (Omit<typeof messageEdits.$inferInsert, 'at'> & { at: string })[];
  if (versions.length > 0)
    await tx.insert(messageEdits).values(versions.map((version) => ({ ...version, at: new Date(version.at) })));
  const versionSeq = await findVersionSeq(tx, place, row.seq);
  // The event brings no new version: it names the one that is there again, and when that was written.
  const data = { versionSeq, editedAt: row.editedAt?.toISOString() ?? null };
  return [{ type: 'message.updated', actorId: by, messageId, data }];
}

/** The event that brought the newest version of a message. @param createdSeq of the message */
export async function findVersionSeq(
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
        sql`${events.data} ->> 'versionSeq' is null`,
        sql`${events.seq} >= ${createdSeq}`,
      ),
    );
  return newest?.seq ?? createdSeq;
}
