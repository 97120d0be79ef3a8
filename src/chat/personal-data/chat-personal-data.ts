/**
 * What a person said, and where they were. Handed out room by room; erased the same way: each of their messages becomes a
 * tombstone with an event of its own, so that everybody's log stays without holes and every reader learns of it, and
 * then they leave. What others wrote, their name included, is others' and stays.
 */
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { events, messageEdits } from '../../database/tables/event-tables.ts';
import { readStates, roomNotifications } from '../../database/tables/read-tables.ts';
import { invites, members } from '../../database/tables/room-tables.ts';
import type { AppendContext, EventLog } from '../events/event-log.ts';
import { eraseMember } from '../membership/member-erasure.ts';

/** Messages per transaction: each is an event that readers get. */
const batchSize = 200;
/** Rows of the archive read at once. */
const pageSize = 1000;

export function createChatPersonalData({
  db,
  eventLog,
}: {
  db: Database;
  eventLog: Pick<EventLog, 'transact'>;
}): PersonalData {
  /** Rooms the person ever was in, by id. */
  async function roomsOf(userId: string): Promise<string[]> {
    const rows = await db.execute<{ roomId: string }>(sql`
      select room_id as "roomId" from membership_changes where user_id = ${userId}
      union select room_id from members where user_id = ${userId} order by 1`);
    return rows.map(({ roomId }) => roomId);
  }

  async function eraseBatch({ tx }: AppendContext, roomId: string, userId: string) {
    const found = await tx.execute<{ messageId: string; text: string }>(sql`
      select message_id as "messageId", text from events
      where room_id = ${roomId} and actor_id = ${userId} and client_id is not null and type = 'message.created'
      order by client_id limit ${batchSize} for update`);
    const ids = found.map(({ messageId }) => messageId);
    if (ids.length === 0) return { events: [], answer: 0 };
    const list = sql`${`{${ids.join(',')}}`}::uuid[]`;
    // Moderators may have taught the engine by these words.
    await tx.execute(sql`
      update learned_examples set text = '', revoked_at = coalesce(revoked_at, now())
      where text in (select text from events where message_id = any(${list}) and type = 'message.created' and text <> ''
        union select text from message_edits where message_id = any(${list}))`);
    await tx.execute(sql`delete from message_edits where message_id = any(${list})`);
    const visible = await tx.execute<{ messageId: string }>(sql`
      with before as (
        select room_id, seq, deleted_at from events
        where room_id = ${roomId} and message_id = any(${list}) and type = 'message.created'
      )
      update events e set text = '', html = '', mentions = null, client_id = null, digest = null,
        deleted_at = coalesce(e.deleted_at, date_trunc('milliseconds', now())), deleted_by = coalesce(e.deleted_by, ${userId})
      from before b where e.room_id = b.room_id and e.seq = b.seq
      returning case when b.deleted_at is null then e.message_id end as "messageId"`);
    const tombstones = visible.flatMap(({ messageId }) =>
      messageId === null
        ? []
        : [{ type: 'message.deleted', actorId: userId, messageId, data: { messageId, by: userId } }],
    );
    return { events: tombstones, answer: ids.length };
  }

  async function eraseIn(roomId: string, userId: string): Promise<void> {
    for (;;) {
      const { answer: erased } = await eventLog.transact(roomId, (context) => eraseBatch(context, roomId, userId));
      if (erased < batchSize) break;
    }
    await eventLog.transact(roomId, (context) => eraseMember(context, { roomId, userId }));
  }

  async function* messagesOf(userId: string): AsyncIterable<readonly object[]> {
    for (const roomId of await roomsOf(userId)) {
      for (let after = 0; ; ) {
        const rows = await db
          .select({
            id: events.messageId,
            roomId: events.roomId,
            seq: events.seq,
            text: events.text,
            replyTo: events.replyTo,
            createdAt: events.at,
            editedAt: events.editedAt,
            deletedAt: events.deletedAt,
          })
          .from(events)
          .where(
            and(
              eq(events.roomId, roomId),
              eq(events.actorId, userId),
              eq(events.type, 'message.created'),
              sql`${events.seq} > ${after}`,
            ),
          )
          .orderBy(events.seq)
          .limit(pageSize);
        if (rows.length > 0) yield rows;
        if (rows.length < pageSize) break;
        after = rows.at(-1)!.seq;
      }
    }
  }

  async function* editsOf(userId: string): AsyncIterable<readonly object[]> {
    for (const roomId of await roomsOf(userId)) {
      const rows = await db
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
        .limit(50_000);
      if (rows.length > 0) yield rows;
    }
  }

  return {
    name: 'messages and memberships',
    cut: async (tx, { userId }) => {
      await tx.delete(readStates).where(eq(readStates.userId, userId));
      await tx.delete(roomNotifications).where(eq(roomNotifications.userId, userId));
      // An invite is as good as its maker.
      await tx.delete(invites).where(eq(invites.createdBy, userId));
    },
    sweep: async (userId) => {
      for (const roomId of await roomsOf(userId)) await eraseIn(roomId, userId);
    },
    exports: {
      memberships: onePage((userId) =>
        db
          .select({
            roomId: members.roomId,
            role: members.role,
            joinedAt: members.joinedAt,
            mutedUntil: members.mutedUntil,
            lastReadSeq: readStates.lastReadSeq,
            notificationLevel: roomNotifications.level,
          })
          .from(members)
          .leftJoin(readStates, and(eq(readStates.userId, members.userId), eq(readStates.roomId, members.roomId)))
          .leftJoin(
            roomNotifications,
            and(eq(roomNotifications.userId, members.userId), eq(roomNotifications.roomId, members.roomId)),
          )
          .where(eq(members.userId, userId)),
      ),
      messages: messagesOf,
      edits: editsOf,
    },
  };
}
