import { expect, test } from 'vitest';
import { roomFeed } from '../../../test/harness/room-fixture.ts';
import { Failure } from '../../errors.ts';
import { type Ballot, ballotKey, tallyVotes, type Vote, type VotedPoll } from './vote-tally.ts';

const poll: VotedPoll = { seq: 3, isDeleted: false, isClosed: false, optionCount: 3, multiple: false };
const ballot = (userId: string, options: number[]): Ballot => ({ messageId: 'lunch', userId, options, seq: 4 });
const vote = (userId: string, ...options: number[]): Vote => ({
  actor: { userId, role: 'user' },
  messageId: 'lunch',
  options,
});

function tally(votes: readonly Vote[], before: readonly Ballot[] = [], changes: Partial<VotedPoll> = {}) {
  const known = new Map(before.map((each) => [ballotKey(each), each]));
  const { state } = roomFeed();
  const { outcomes, changed } = tallyVotes(state, new Map([['lunch', { ...poll, ...changes }]]), known, votes);
  return {
    outcomes: outcomes.map((outcome) => (outcome instanceof Failure ? outcome.code : 'ok')),
    changed: changed.map(({ userId, options }) => [userId, options]),
  };
}

test('the last vote of a person counts, and a vote that ends where it began changes nothing', () => {
  expect(tally([vote('ana', 0), vote('ben', 1), vote('ana', 2)])).toEqual({
    outcomes: ['ok', 'ok', 'ok'],
    changed: [
      ['ana', [2]],
      ['ben', [1]],
    ],
  });
  expect(tally([vote('ana', 0), vote('ana', 1)], [ballot('ana', [1])]).changed).toEqual([]);
  expect(tally([vote('ana')], [ballot('ana', [1])]).changed).toEqual([['ana', []]]);
  expect(tally([vote('ana')]).changed).toEqual([]);
});

test('a refused vote does not touch those beside it', () => {
  expect(tally([vote('ana', 0), vote('eve', 1), vote('ben', 3), vote('ben', 0, 1), vote('ana', 9)])).toEqual({
    outcomes: ['ok', 'not_found', 'invalid', 'invalid', 'invalid'],
    changed: [['ana', [0]]],
  });
});

test.each<[string, Partial<VotedPoll>, string]>([
  ['is closed', { isClosed: true }, 'conflict'],
  ['is deleted', { isDeleted: true }, 'not_found'],
])('a poll that %s takes no vote, not even one that is there already', (_what, changes, code) => {
  expect(tally([vote('ana', 1)], [ballot('ana', [1])], changes)).toEqual({ outcomes: [code], changed: [] });
});
