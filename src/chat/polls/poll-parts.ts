/** What polls add to messages: the poll of a send, and the poll with its results of a message that is read. */
import type { Database } from '../../database/connect.ts';
import { invalid } from '../../errors.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import type { ExtrasSource } from '../messages/extras-loader.ts';
import type { FindOwnVotes } from '../messages/own-votes.ts';
import { unvoted } from '../state/message-extras.ts';
import { messageMarks } from '../state/message-marks.ts';
import { checkPoll, type PollBounds } from './poll-draft.ts';
import { compareWithNow, deletePolls, insertPoll, readBallots, readPolls } from './poll-repository.ts';

export interface PollSettings extends PollBounds {
  /** Milliseconds from the send to `closesAt`. */
  readonly openMax: number;
}

export const pollSource: ExtrasSource = {
  mark: 'poll',
  load: async (db, messageIds) => new Map([...(await readPolls(db, messageIds))].map(([id, poll]) => [id, { poll }])),
  atCreation: ({ poll }) => (poll ? { poll: unvoted(poll) } : {}),
  purge: deletePolls,
};

export function createPollWriter(settings: PollSettings): PartsWriter {
  return {
    text: ({ parts }) => {
      if (!parts?.poll) return undefined;
      const { question, options } = checkPoll(parts.poll, settings);
      return [question, ...options].join('\n');
    },
    write: async (tx, { roomId, messageId, parts }) => {
      if (!parts?.poll) return { marks: 0 };
      const poll = checkPoll(parts.poll, settings);
      const { closesAt } = poll;
      const place = closesAt ? await compareWithNow(tx, closesAt, settings.openMax) : 'in time';
      if (place === 'past') throw invalid('/poll/closesAt', 'is in the past');
      if (place === 'too late') throw invalid('/poll/closesAt', 'is too far in the future');
      await insertPoll(tx, { roomId, messageId }, { ...poll, closesAt: closesAt ?? null });
      return { marks: messageMarks.poll };
    },
  };
}

export function createFindOwnVotes(db: Database): FindOwnVotes {
  return async (userId, messageIds) => {
    const ballots = await readBallots(
      db,
      messageIds.map((messageId) => ({ messageId, userId })),
    );
    return new Map(ballots.map(({ messageId, options }) => [messageId, options]));
  };
}
