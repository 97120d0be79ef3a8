/** The SQL of exporting and erasing a user's messages and memberships. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { events, messageEdits } from '../../database/tables/event-tables.ts';
import { readStates, roomNotifications } from '../../database/tables/read-tables.ts';
import { invites, members, rooms } from '../../database/tables/room-tables.ts';
import type { MemberKey } from '../membership/member-repository.ts';

/** Earlier versions of one room's messages in an archive, at most. */
const editsMax = 50_000;

/** The rooms that the user is or ever was in, by id. */
export async function readRoomIds(db: Database, userId: string): Promise<string[]> {
  const rows = await db.execute<{ roomId: string }>(sql`
      select room_id as "roomId" from membership_changes where user_id = ${userId}
      union select room_id from members where user_id = ${userId} order by 1`);
  return rows.map(({ roomId }) => roomId);
}

// ── Erasure ──

/** Deletes what belongs to the account alone. An invite is valid only as long as its creator may invite. */
export async function deleteAccountRows(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(readStates).where(eq(readStates.userId, userId));
  await tx.delete(roomNotifications).where(eq(roomNotifications.userId, userId));
  await tx.delete(invites).where(eq(invites.createdBy, userId));
}

/** Locks some of the user's messages that are not erased yet. An erased message has no client id. @returns their ids */
export async function lockMessagesOf(
  tx: Transaction,
  { roomId, userId, limit }: MemberKey & { limit: number },
): Promise<string[]> {
  const found = await tx.execute<{ messageId: string }>(sql`
      select message_id as "messageId" from events
      where room_id = ${roomId} and actor_id = ${userId} and client_id is not null and type = 'message.created'
      order by client_id limit ${limit} for update`);
  return found.map(({ messageId }) => messageId);
}

const listOf = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::uuid[]`;

/** Revokes the lessons whose text is that of one of these messages or of an earlier version. */
export async function revokeLessonsFrom(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
      update learned_examples set text = '', revoked_at = coalesce(revoked_at, now())
      where text in (select text from events where message_id = any(${listOf(messageIds)}) and type = 'message.created' and text <> ''
        union select text from message_edits where message_id = any(${listOf(messageIds)}))`);
}

export async function deleteEdits(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from message_edits where message_id = any(${listOf(messageIds)})`);
}

/** Takes the text and the client key from messages. @returns those that were not deleted before */
export async function tombstone(
  tx: Transaction,
  { roomId, userId, ids }: MemberKey & { ids: readonly string[] },
): Promise<{ messageId: string; threadId: string | null }[]> {
  const rows = await tx.execute<{ messageId: string | null; threadId: string | null }>(sql`
      with before as (
        select room_id, seq, deleted_at from events
        where room_id = ${roomId} and message_id = any(${listOf(ids)}) and type = 'message.created'
      )
      update events e set text = '', html = '', mentions = null, client_id = null, digest = null,
        deleted_at = coalesce(e.deleted_at, date_trunc('milliseconds', now())), deleted_by = coalesce(e.deleted_by, ${userId})
      from before b where e.room_id = b.room_id and e.seq = b.seq
      returning case when b.deleted_at is null then e.message_id end as "messageId", e.thread_id as "threadId"`);
  return rows.flatMap(({ messageId, threadId }) => (messageId === null ? [] : [{ messageId, threadId }]));
}

/**
 * Takes name and topic from a room that this user created, and deletes the room.
 * @returns whether it existed until now
 */
export async function scrubRoom(tx: Transaction, { roomId, userId }: MemberKey): Promise<boolean> {
  const [room] = await tx
    .select({ deletedAt: rooms.deletedAt })
    .from(rooms)
    .where(and(eq(rooms.id, roomId), eq(rooms.createdBy, userId)));
  if (!room) return false;
  await tx
    .update(rooms)
    .set({ name: '', topic: '', dmKey: null, deletedAt: room.deletedAt ?? sql`now()` })
    .where(eq(rooms.id, roomId));
  await tx
    .update(events)
    .set({ data: sql`${events.data} || '{"room": {}}'` })
    .where(and(eq(events.roomId, roomId), eq(events.type, 'room.updated')));
  return room.deletedAt === null;
}

// ── Export ──

export async function readMessages(
  db: Database,
  { roomId, userId, after, limit }: MemberKey & { after: number; limit: number },
) {
  const ofUser = and(eq(events.roomId, roomId), eq(events.actorId, userId), eq(events.type, 'message.created'));
  return db
    .select({
      id: events.messageId,
      roomId: events.roomId,
      seq: events.seq,
      text: events.text,
      replyTo: events.replyTo,
      threadId: events.threadId,
      createdAt: events.at,
      editedAt: events.editedAt,
      deletedAt: events.deletedAt,
    })
    .from(events)
    .where(and(ofUser, sql`${events.seq} > ${after}`))
    .orderBy(events.seq)
    .limit(limit);
}

export async function readEdits(db: Database, { roomId, userId }: MemberKey) {
  return db
    .select({
      messageId: messageEdits.messageId,
      roomId: messageEdits.roomId,
      version: messageEdits.version,
      text: messageEdits.text,
      at: messageEdits.at,
    })
    .from(messageEdits)
    .innerJoin(events, and(eq(events.messageId, messageEdits.messageId), eq(events.type, 'message.created')))
    .where(and(eq(events.roomId, roomId), eq(events.actorId, userId)))
    .orderBy(messageEdits.messageId, messageEdits.version)
    .limit(editsMax);
}

export async function readMemberships(db: Database, userId: string) {
  const sameMember = (table: typeof readStates | typeof roomNotifications) =>
    and(eq(table.userId, members.userId), eq(table.roomId, members.roomId));
  return db
    .select({
      roomId: members.roomId,
      role: members.role,
      joinedAt: members.joinedAt,
      mutedUntil: members.mutedUntil,
      lastReadSeq: readStates.lastReadSeq,
      notificationLevel: roomNotifications.level,
    })
    .from(members)
    .leftJoin(readStates, sameMember(readStates))
    .leftJoin(roomNotifications, sameMember(roomNotifications))
    .where(eq(members.userId, userId));
}
