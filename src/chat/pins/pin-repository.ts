/** The SQL of pins. A deleted message is not pinned; if a moderator restores it, its pin is there again. */
import { sql } from 'drizzle-orm';
import { plainArray } from '../../database/array-literal.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import { messageMarks } from '../state/message-marks.ts';

export interface PinPlace {
  readonly roomId: string;
  readonly messageId: string;
}

/** The part of a message that decides about its pin. */
export interface PinnedMessage {
  readonly seq: number;
  /** Of its `message.pinned` event; undefined: not pinned. */
  readonly pinnedSeq: number | undefined;
}

/** Locks the row of a message that is not deleted. */
export async function lockPinned(tx: Transaction, { roomId, messageId }: PinPlace): Promise<PinnedMessage | undefined> {
  const [row] = await tx.execute<{ seq: string; pinnedSeq: string | null }>(sql`
    select e.seq, (select p.seq from pins p where p.message_id = e.message_id) as "pinnedSeq" from events e
    where e.message_id = ${messageId} and e.type = 'message.created' and e.room_id = ${roomId} and e.deleted_at is null
    for update`);
  return row && { seq: Number(row.seq), pinnedSeq: row.pinnedSeq === null ? undefined : Number(row.pinnedSeq) };
}

/** The pins of a room, without those of deleted messages. */
export async function countPins(tx: Transaction, roomId: string): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from pins p
    join events e on e.message_id = p.message_id and e.type = 'message.created' and e.deleted_at is null
    where p.room_id = ${roomId}`);
  return row!.count;
}

/** Pins a message whose row is locked. */
export async function storePin(
  tx: Transaction,
  { roomId, messageId }: PinPlace,
  { userId, seq }: { readonly userId: string; readonly seq: number },
): Promise<void> {
  await tx.execute(sql`
    update events set marks = marks | ${messageMarks.pinned}
    where message_id = ${messageId} and type = 'message.created' and room_id = ${roomId} and marks & ${messageMarks.pinned} = 0`);
  // A row that is there already is of an event that this transaction does not know yet, and so it fails at its own.
  await tx.execute(sql`
    insert into pins (message_id, room_id, pinned_by, seq) values (${messageId}, ${roomId}, ${userId}, ${seq})
    on conflict (message_id) do nothing`);
}

export async function deletePins(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from pins where message_id = any(${plainArray(messageIds)}::uuid[])`);
}

/** Those of the messages that are pinned. */
export async function findPinned(db: Database | Transaction, messageIds: readonly string[]): Promise<string[]> {
  const rows = await db.execute<{ id: string }>(
    sql`select message_id as id from pins where message_id = any(${plainArray(messageIds)}::uuid[])`,
  );
  return rows.map(({ id }) => id);
}

/**
 * The pins of a room, newest first, each with the seq of its message.
 * @param from the first message that the reader may see; `to` the highest seq that they may know
 * @param before the seq of a pin
 */
export async function readPins(
  db: Database,
  roomId: string,
  {
    from,
    to,
    before,
    limit,
  }: { readonly from: number; readonly to: number; readonly before: number; readonly limit: number },
): Promise<{ seq: number; pinnedSeq: number }[]> {
  const rows = await db.execute<{ seq: string; pinnedSeq: string }>(sql`
    select e.seq, p.seq as "pinnedSeq" from pins p
    join events e on e.message_id = p.message_id and e.type = 'message.created' and e.deleted_at is null
    where p.room_id = ${roomId} and p.seq < ${before} and p.seq <= ${to} and e.seq >= ${from}
    order by p.seq desc limit ${limit}`);
  return rows.map(({ seq, pinnedSeq }) => ({ seq: Number(seq), pinnedSeq: Number(pinnedSeq) }));
}

/** What a user has pinned, for the archive. */
export async function readOfUser(
  db: Database,
  userId: string,
  after: string,
  limit: number,
): Promise<{ roomId: string; messageId: string; at: string }[]> {
  const rows = await db.execute<{ roomId: string; messageId: string; at: string }>(sql`
    select room_id as "roomId", message_id as "messageId", at from pins
    where pinned_by = ${userId} and message_id > ${after}::uuid order by message_id limit ${limit}`);
  return rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() }));
}
