/**
 * A user's reactions: exported, and erased room by room with an event for each, so that every reader learns of it and the
 * logs stay without gaps.
 */
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import type { EventLog } from '../events/event-log.ts';
import { deleteOfUser, readOfUser, readRoomIds } from './reaction-repository.ts';

/** Reactions per transaction: each becomes an event that readers get. */
const batchSize = 200;
/** Rows of the archive read at once. */
const pageSize = 1000;

export function createReactionPersonalData({
  db,
  eventLog,
}: {
  readonly db: Database;
  readonly eventLog: Pick<EventLog, 'transact'>;
}): PersonalData {
  /** @returns how many there were; fewer than a batch if these were the last */
  async function eraseBatch(roomId: string, userId: string): Promise<number> {
    const { answer } = await eventLog.transact(roomId, async ({ tx }) => {
      const { count, shown } = await deleteOfUser(tx, { roomId, userId, limit: batchSize });
      const events = shown.map(({ messageId, emoji }) => ({
        type: 'reaction.removed',
        actorId: userId,
        messageId,
        data: { messageId, emoji, userId },
      }));
      return { events, answer: count };
    });
    return answer;
  }

  async function* exportReactions(userId: string): AsyncIterable<readonly object[]> {
    for (const roomId of await readRoomIds(db, userId)) {
      for (let after = 0; ; ) {
        const rows = await readOfUser(db, { roomId, userId, after, limit: pageSize });
        if (rows.length > 0) yield rows.map(({ seq: _seq, ...row }) => row);
        if (rows.length < pageSize) break;
        after = rows.at(-1)!.seq;
      }
    }
  }

  return {
    name: 'reactions',
    sweep: async (userId) => {
      for (const roomId of await readRoomIds(db, userId)) while ((await eraseBatch(roomId, userId)) === batchSize);
    },
    exports: { reactions: exportReactions },
  };
}
