/** What a transaction stores of votes that wait for one room: each is checked for itself, and each poll gets one event. */
import { Failure } from '../../errors.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import type { PlannedBatch } from '../events/room-batches.ts';
import { lockPolls, readBallots, readPolls, storeBallots } from './poll-repository.ts';
import { type Ballot, ballotKey, tallyVotes, type Vote } from './vote-tally.ts';

/** A vote that changes nothing is answered with the seq of the event that shows it already. */
export async function planVotes({ tx, state, nextSeq }: AppendContext, votes: readonly Vote[]): Promise<PlannedBatch> {
  const roomId = state.settings.id;
  const polls = await lockPolls(tx, roomId, [...new Set(votes.map(({ messageId }) => messageId))]);
  const places = votes.map(({ messageId, actor }) => ({ messageId, userId: actor.userId }));
  const before = new Map((await readBallots(tx, places)).map((ballot) => [ballotKey(ballot), ballot]));
  const { outcomes, changed } = tallyVotes(state, polls, before, votes);
  const changedIds = [...new Set(changed.map(({ messageId }) => messageId))];
  const seqOf = (messageId: string) => nextSeq + changedIds.indexOf(messageId);
  const stored = changed.map((ballot) => ({ ...ballot, seq: seqOf(ballot.messageId) }));
  if (stored.length > 0) await storeBallots(tx, roomId, stored);
  const changedKeys = new Set(changed.map(ballotKey));
  const answerOf = (ballot: Ballot) =>
    changedKeys.has(ballotKey(ballot)) ? seqOf(ballot.messageId) : ballot.seq || polls.get(ballot.messageId)!.seq;
  return {
    events: await pollEvents(tx, changedIds, (messageId) => polls.get(messageId)!.authorId),
    outcomes: outcomes.map((outcome) => (outcome instanceof Failure ? outcome : answerOf(outcome))),
  };
}

/**
 * One `poll.updated` for each poll, as it is now. Its actor is the author of the poll: who voted, and when, is nobody's
 * business in an anonymous poll, and one event holds the votes of many.
 */
export async function pollEvents(
  tx: AppendContext['tx'],
  messageIds: readonly string[],
  authorOf: (messageId: string) => string,
): Promise<DraftEvent[]> {
  const polls = messageIds.length > 0 ? await readPolls(tx, messageIds) : new Map();
  return messageIds.map((messageId) => ({
    type: 'poll.updated',
    actorId: authorOf(messageId),
    messageId,
    data: { messageId, poll: polls.get(messageId) },
  }));
}
