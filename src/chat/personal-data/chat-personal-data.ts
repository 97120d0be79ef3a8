/**
 * A user's messages and memberships: exported room by room, and erased the same way. Erasure turns each message into a
 * tombstone with an event of its own, so that every log stays without gaps and every reader learns of it; then the user
 * leaves the room. What others wrote stays, even where it contains the user's name.
 */
import type { Database, Transaction } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import { threadsAfter } from '../events/thread-summary-repository.ts';
import {
  deleteAccountRows,
  deleteEdits,
  lockMessagesOf,
  readEdits,
  readMemberships,
  readMessages,
  readRoomIds,
  revokeLessonsFrom,
  tombstone,
} from './chat-personal-data-repository.ts';
import { eraseMember } from './member-erasure.ts';

/** Deletes what other tables hold of messages. */
export type PurgeMessages = (tx: Transaction, messageIds: readonly string[]) => Promise<void>;

/** Messages per transaction: each becomes an event that readers get. */
const batchSize = 200;
/** Rows of the archive read at once. */
const pageSize = 1000;

export function createChatPersonalData({
  db,
  eventLog,
  purge,
}: {
  db: Database;
  eventLog: Pick<EventLog, 'transact'>;
  purge: PurgeMessages;
}): PersonalData {
  async function eraseIn(roomId: string, userId: string): Promise<void> {
    for (;;) {
      const { answer: erased } = await eventLog.transact(roomId, (context) =>
        eraseBatch(context, { roomId, userId }, purge),
      );
      if (erased < batchSize) break;
    }
    await eventLog.transact(roomId, (context) => eraseMember(context, { roomId, userId }));
  }

  return {
    name: 'messages and memberships',
    cut: (tx, { userId }) => deleteAccountRows(tx, userId),
    sweep: async (userId) => {
      for (const roomId of await readRoomIds(db, userId)) await eraseIn(roomId, userId);
    },
    exports: {
      memberships: onePage((userId) => readMemberships(db, userId)),
      messages: (userId) => exportMessages(db, userId),
      edits: (userId) => exportEdits(db, userId),
    },
  };
}

/** Erases a batch of the user's messages. @returns the plan; its answer is how many there were */
async function eraseBatch(
  { tx }: AppendContext,
  { roomId, userId }: { readonly roomId: string; readonly userId: string },
  purge: PurgeMessages,
): Promise<AppendPlan<number>> {
  const ids = await lockMessagesOf(tx, { roomId, userId, limit: batchSize });
  if (ids.length === 0) return { events: [], answer: 0 };
  // The engine may have learned from these texts, and reads them from messages and edits: they go last.
  await revokeLessonsFrom(tx, ids);
  await deleteEdits(tx, ids);
  await purge(tx, ids);
  const visible = await tombstone(tx, { roomId, userId, ids });
  // As of the end of the batch in all of its events: readers get them together.
  const threads = await threadsAfter(
    tx,
    visible.map(({ threadId }) => threadId),
  );
  const events = visible.map(({ messageId, threadId }) => ({
    type: 'message.deleted',
    actorId: userId,
    messageId,
    data: { messageId, by: userId, ...threads.get(threadId) },
  }));
  return { events, answer: ids.length };
}

async function* exportMessages(db: Database, userId: string): AsyncIterable<readonly object[]> {
  for (const roomId of await readRoomIds(db, userId)) {
    for (let after = 0; ; ) {
      const rows = await readMessages(db, { roomId, userId, after, limit: pageSize });
      if (rows.length > 0) yield rows;
      if (rows.length < pageSize) break;
      after = rows.at(-1)!.seq;
    }
  }
}

async function* exportEdits(db: Database, userId: string): AsyncIterable<readonly object[]> {
  for (const roomId of await readRoomIds(db, userId)) {
    const rows = await readEdits(db, { roomId, userId });
    if (rows.length > 0) yield rows;
  }
}
