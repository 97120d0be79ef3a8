import { expect, test } from 'vitest';
import type { Normalised } from '../text/normalise.ts';
import { createInnerTermFinder } from './inner-terms.ts';
import { createScan, fillScan } from './term-scan.ts';
import { createTrie } from './term-trie.ts';
import { createTermWalk, createWalkState } from './term-walk.ts';

const plain = (text: string): Normalised => ({
  folded: text,
  starts: Int32Array.from(text, (_, at) => at),
  ends: Int32Array.from(text, (_, at) => at + 1),
  hidden: 0,
  disguised: 0,
});

function walk(text: string, words: readonly string[], { steps = 1000, isTight = false } = {}) {
  const state = createWalkState(fillScan(createScan(), plain(text), text));
  const trie = createTrie(words.map((word, at) => [word, at]));
  const found: object[] = [];
  const onWord = (value: number, to: number): void => {
    const { gaps, spaces, hardMasks, softMasks, leets, swaps } = state;
    found.push({ word: words[value], to, disguise: { gaps, spaces, hardMasks, softMasks, leets, swaps } });
  };
  const { begin, walkFrom } = createTermWalk(state, trie, () => undefined, onWord);
  begin();
  state.steps = steps;
  state.isTight = isTight;
  walkFrom();
  return { found, state };
}

const none = { gaps: 0, spaces: 0, hardMasks: 0, softMasks: 0, leets: 0, swaps: 0 };

test.each([
  ['as it is written', 'darn', 4, {}],
  ['with repeated letters', 'daaarn', 6, {}],
  ['with spaces between its letters', 'd a r n', 7, { gaps: 3, spaces: 3 }],
  ['with digits for letters', 'd4rn', 4, { leets: 1 }],
  ['with a letter hidden', 'd*rn', 4, { hardMasks: 1 }],
  ['with a tag of markup inside', 'da<b>rn', 7, { gaps: 1 }],
])('a word is found %s', (_, text, to, disguise) => {
  expect(walk(text, ['darn']).found).toContainEqual({ word: 'darn', to, disguise: { ...none, ...disguise } });
});

test('the counters are as before when the walk returns, also when its steps ran out', () => {
  for (const steps of [1, 3, 7, 20, 1000])
    expect(walk('d-4 *rn<i>4', ['darn', 'dorn'], { steps }).state).toMatchObject(none);
});

test('inside a word only the plain spelling is found, and without steps nothing', () => {
  expect(walk('d4rn', ['darn'], { isTight: true }).found).toEqual([]);
  expect(walk('darn', ['darn'], { isTight: true }).found).toHaveLength(1);
  expect(walk('darn', ['darn'], { steps: 3 }).found).toEqual([]);
});

test('a term within a longer word counts where the rest of it is ordinary words', () => {
  const entry = { term: 'darn', name: 'profanity', score: 1, kind: 'strong' } as const;
  const spelling = {
    entry,
    length: 4,
    strong: true,
    variant: false,
    pieces: ['darn'],
    borrowed: false,
    needsAccents: false,
  };
  const find = createInnerTermFinder({
    inner: createTrie([['darn', 0]]),
    spellings: [spelling],
    known: new Set(['that', 'old']),
    innocent: new Set(['darning']),
  });
  const search = (text: string) => find(fillScan(createScan(), plain(text), text), 0, text.length)?.term;
  expect(['thatolddarn', 'darnold', 'darnqzx', 'darning', 'darn'].map(search)).toEqual([
    'darn',
    'darn',
    undefined,
    undefined,
    undefined,
  ]);
});
