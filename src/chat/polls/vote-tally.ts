/**
 * Decides votes that wait for one room together, in the order of their arrival: a later vote of a person sees the earlier one.
 * Pure, so that a transaction may decide again when another instance was first.
 */
import { Failure, invalid } from '../../errors.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface Vote {
  readonly actor: Actor;
  readonly messageId: string;
  /** Indexes, ascending. None takes the vote back. */
  readonly options: readonly number[];
}

/** What the votes are checked against. */
export interface VotedPoll {
  /** Of its message. */
  readonly seq: number;
  readonly isDeleted: boolean;
  readonly isClosed: boolean;
  readonly optionCount: number;
  readonly multiple: boolean;
}

export interface Ballot {
  readonly messageId: string;
  readonly userId: string;
  readonly options: readonly number[];
  /** Of the event that brought it; 0 where there is none yet. */
  readonly seq: number;
}

export interface Tally {
  /** One for each vote: refused, or the ballot as it was before all of them. */
  readonly outcomes: readonly (Failure | Ballot)[];
  /** The ballots that differ from before, as they are now. */
  readonly changed: readonly Ballot[];
}

export const ballotKey = ({ messageId, userId }: Pick<Ballot, 'messageId' | 'userId'>) => `${messageId} ${userId}`;
export const sameOptions = (left: readonly number[], right: readonly number[]) => left.join() === right.join();

/** @param before the ballots of these voters, by `ballotKey` */
export function tallyVotes(
  state: RoomState,
  polls: ReadonlyMap<string, VotedPoll>,
  before: ReadonlyMap<string, Ballot>,
  votes: readonly Vote[],
): Tally {
  const after = new Map<string, Ballot>();
  const outcomes = votes.map((vote) => {
    const { messageId, actor, options } = vote;
    const place = { messageId, userId: actor.userId };
    const known = before.get(ballotKey(place)) ?? { ...place, options: [], seq: 0 };
    try {
      requireVote(state, polls.get(messageId), vote);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
    after.set(ballotKey(place), { ...known, options });
    return known;
  });
  const changed = [...after].flatMap(([key, ballot]) =>
    sameOptions(before.get(key)?.options ?? [], ballot.options) ? [] : [ballot],
  );
  return { outcomes, changed };
}

/** @throws Failure `not_found`, `forbidden`, `conflict`, `invalid` */
function requireVote(state: RoomState, poll: VotedPoll | undefined, { actor, options }: Vote): void {
  state.require(actor, 'vote');
  requirePoll(state, poll, actor);
  if (poll.isClosed) throw new Failure('conflict', 'the poll is closed');
  if (!poll.multiple && options.length > 1) throw invalid('/options', 'only one option of this poll can be chosen');
  const unknown = options.findIndex((option) => option >= poll.optionCount);
  if (unknown !== -1) throw invalid(`/options/${unknown}`, 'not an option of this poll');
}

/** @throws Failure `not_found` for a message without a poll, a deleted one, or one from before the actor may read */
export function requirePoll<Poll extends Pick<VotedPoll, 'seq' | 'isDeleted'>>(
  state: RoomState,
  poll: Poll | undefined,
  actor: Actor,
): asserts poll is Poll {
  if (!poll || poll.isDeleted || poll.seq < state.firstReadable(actor)) throw new Failure('not_found', 'no such poll');
}
