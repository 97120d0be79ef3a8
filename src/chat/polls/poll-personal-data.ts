/**
 * Votes of a user: erased with an event for each poll, so that every reader sees results without them; also in closed polls.
 * The polls that the user has started go with their messages.
 */
import type { Database } from '../../database/connect.ts';
import type { ExportRows, PersonalData } from '../../database/personal-data.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import { deleteVotes, exportPolls, exportVotes, findVotedPolls, findVotedRooms, lockPolls } from './poll-repository.ts';
import { pollEvents } from './vote-plan.ts';

/** Polls per transaction: each becomes an event that readers get. */
const batchSize = 100;
/** Rows of the archive read at once. */
const pageSize = 1000;
const firstId = '00000000-0000-0000-0000-000000000000';

export function createPollPersonalData(db: Database, eventLog: Pick<EventLog, 'transact'>): PersonalData {
  return {
    name: 'polls and votes',
    sweep: async (userId) => {
      for (const roomId of await findVotedRooms(db, userId)) {
        for (;;) {
          const { answer } = await eventLog.transact(roomId, (context) => eraseVotes(context, roomId, userId));
          if (answer < batchSize) break;
        }
      }
    },
    exports: {
      polls: pagesBy((userId, after) => exportPolls(db, userId, after, pageSize)),
      votes: pagesBy((userId, after) => exportVotes(db, userId, after, pageSize)),
    },
  };
}

/** @returns the plan; its answer is in how many polls there were votes */
async function eraseVotes({ tx }: AppendContext, roomId: string, userId: string): Promise<AppendPlan<number>> {
  const messageIds = await findVotedPolls(tx, { roomId, userId, limit: batchSize });
  if (messageIds.length === 0) return { events: [], answer: 0 };
  const polls = await lockPolls(tx, roomId, messageIds);
  await deleteVotes(tx, userId, messageIds);
  const shown = messageIds.filter((id) => polls.get(id)?.isDeleted === false);
  return { events: await pollEvents(tx, shown, (id) => polls.get(id)!.authorId), answer: messageIds.length };
}

function pagesBy(
  read: (userId: string, after: string) => Promise<readonly { readonly messageId: string }[]>,
): ExportRows {
  return async function* pages(userId) {
    for (let after = firstId; ; ) {
      const rows = await read(userId, after);
      if (rows.length > 0) yield rows;
      if (rows.length < pageSize) break;
      after = rows.at(-1)!.messageId;
    }
  };
}
