import { expect, test } from 'vitest';
import { roomFeed, takeMute } from '../../../test/harness/room-fixture.ts';
import { Failure } from '../../errors.ts';
import { decideReactions, type ReactionChange, type ReactionView } from './reaction-batch.ts';

const change = (kind: 'add' | 'remove', userId: string, emoji: string, messageId = 'm'): ReactionChange => ({
  ...{ kind, userId, emoji, messageId },
  actor: { userId, role: 'user' },
});
const add = (userId: string, emoji: string, messageId?: string) => change('add', userId, emoji, messageId);
const remove = (userId: string, emoji: string, messageId?: string) => change('remove', userId, emoji, messageId);

function view(overrides: Partial<ReactionView> = {}): ReactionView {
  return {
    state: roomFeed().state,
    nowMs: 1000,
    nextSeq: 6,
    reactionsMax: 2,
    messages: [{ id: 'm', seq: 3, marks: 0, deleted: false }],
    stored: [],
    people: [],
    emojis: [],
    ...overrides,
  };
}

/** Before the batch: `ana` has reacted with 👍 at seq 5. */
const withOne = {
  stored: [{ messageId: 'm', emoji: '👍', userId: 'ana', seq: 5 }],
  people: [{ messageId: 'm', emoji: '👍', people: 1 }],
  emojis: [{ messageId: 'm', emoji: '👍' }],
};

const told = (outcomes: readonly (number | Failure)[]) =>
  outcomes.map((outcome) => (outcome instanceof Failure ? outcome.code : outcome));

test('each change gets a seq of its own, and a refused one takes none', () => {
  const { outcomes, happened, added } = decideReactions(view(), [
    add('ana', '👍'),
    add('stranger', '👍'),
    add('ben', '👍', 'unknown'),
    add('ben', '👍'),
  ]);
  expect(told(outcomes)).toEqual([6, 'not_found', 'not_found', 7]);
  expect(happened.map(({ userId }) => userId)).toEqual(['ana', 'ben']);
  expect(added.map(({ userId, seq }) => [userId, seq])).toEqual([
    ['ana', 6],
    ['ben', 7],
  ]);
});

test('the same reaction again gets the seq of the first, from before or from the same batch', () => {
  const { outcomes, happened } = decideReactions(view(withOne), [
    add('ana', '👍'),
    add('ben', '👍'),
    add('ben', '👍'),
    remove('ben', '🎉'),
  ]);
  expect(told(outcomes)).toEqual([5, 6, 6, 6]);
  expect(happened).toHaveLength(1);
});

test('a reaction that is taken back in its batch leaves two events and no row', () => {
  const { outcomes, happened, added, removed } = decideReactions(view(), [add('ana', '👍'), remove('ana', '👍')]);
  expect(told(outcomes)).toEqual([6, 7]);
  expect(happened).toHaveLength(2);
  expect([added, removed]).toEqual([[], []]);
});

test('a reaction that is taken back and given again has the seq of the second time', () => {
  const { outcomes, added, removed } = decideReactions(view(withOne), [remove('ana', '👍'), add('ana', '👍')]);
  expect(told(outcomes)).toEqual([6, 7]);
  expect(added).toEqual([{ messageId: 'm', emoji: '👍', userId: 'ana', seq: 7 }]);
  expect(removed).toEqual([]);
});

test('one more different reaction than a message may have is refused, until the last person takes one back', () => {
  const { outcomes } = decideReactions(view(withOne), [
    add('ben', '🎉'),
    add('ben', '🚀'),
    add('ben', '👍'),
    remove('ana', '👍'),
    add('ben', '🚀'),
    remove('ben', '👍'),
    add('ben', '🚀'),
  ]);
  expect(told(outcomes)).toEqual([6, 'conflict', 7, 8, 'conflict', 9, 10]);
});

test('deleted messages, and messages before the history that a member may read, do not exist', () => {
  const { state } = roomFeed('room', { history: 'joined' });
  const messages = [
    { id: 'm', seq: 3, marks: 0, deleted: true },
    { id: 'early', seq: 1, marks: 0, deleted: false },
  ];
  const { outcomes } = decideReactions(view({ state, messages }), [add('ana', '👍'), add('ben', '👍', 'early')]);
  expect(told(outcomes)).toEqual(['not_found', 'not_found']);
});

test('a muted member adds nothing and may take back', () => {
  const feed = roomFeed();
  takeMute(feed, 'ben', 60_000);
  const stored = [{ messageId: 'm', emoji: '👍', userId: 'ben', seq: 4 }];
  const { outcomes } = decideReactions(view({ ...withOne, state: feed.state, stored }), [
    add('ben', '🎉'),
    remove('ben', '👍'),
  ]);
  expect(told(outcomes)).toEqual(['muted', 6]);
});

test('a moderator removes the reaction of another, a member does not', () => {
  const ofAna = { ...remove('ana', '👍'), actor: { userId: 'ben', role: 'user' as const } };
  expect(told(decideReactions(view(withOne), [ofAna]).outcomes)).toEqual(['forbidden']);
  const stored = [{ messageId: 'm', emoji: '👍', userId: 'ben', seq: 5 }];
  const ofBen = { ...remove('ben', '👍'), actor: { userId: 'ana', role: 'user' as const } };
  expect(told(decideReactions(view({ ...withOne, stored }), [ofBen]).outcomes)).toEqual([6]);
});
