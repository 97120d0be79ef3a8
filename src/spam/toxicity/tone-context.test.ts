import { expect, test } from 'vitest';
import { isDeniedAt, positionOf, positions } from './tone-context.ts';
import { toneKindsOf } from './tone-kinds.ts';
import { createToneLexicon } from './tone-lexicon.ts';
import { createToneReader } from './tone-reader.ts';
import { createStanceReader } from './toxicity-stance.ts';

const classes = {
  group: 'women',
  negation: 'not isnt dont',
  vile: 'scum',
  report: 'think',
  counter: 'wrong',
  positive: 'lovely',
  they: 'they',
  hates: 'hate fed_up',
  small: 'the',
};
const lexicon = createToneLexicon(classes, 'hat');
const readTokens = createToneReader(lexicon);
const read = (text: string) => {
  const units = Int32Array.from(text, (_, at) => at);
  return readTokens({ folded: text, starts: units, ends: units, hidden: 0, disguised: 0 }, []);
};
const kinds = toneKindsOf(lexicon.names);
const wordsOf = (text: string) => read(text).map((token) => token.text);

test.each([
  ['an expression is one token', 'i am fed up', ['i', 'am', 'fed_up']],
  ['letters that stand alone are a word', 'h a t e it', ['hate', 'it']],
  ['digits in a word are letters', 'h4te 4 you', ['hate', 'you']],
  ['a letter left out or swapped', 'wmoen womn', ['women', 'women']],
  ['a small word joined to the next', 'thewomen', ['women']],
  ['a possessive', "women's", ['women']],
])('%s', (_, text, words) => {
  expect(wordsOf(text)).toEqual(words);
});

test('an innocent word is no misspelling', () => {
  expect(read('hat')[0]).toMatchObject({ text: 'hat', kind: -1 });
});

test('clauses and quotation marks are counted through the text', () => {
  expect(read('a, b "c" d').map(({ text, clause, isQuoted }) => [text, clause, isQuoted])).toEqual([
    ['a', 0, false],
    ['b', 1, false],
    ['"', 1, false],
    ['c', 2, true],
    ['"', 2, true],
    ['d', 3, false],
  ]);
});

test.each([
  ['women are scum', 2, positions.predicate],
  ['women and scum', 2, positions.before],
  ['scum women', 0, positions.attribute],
  ['scum like women', 0, positions.after],
  ['women, they are scum', 3, positions.ofThem],
  ['scum', 0, positions.none],
])('%s: the word at %i stands at %i', (text, at, position) => {
  const tokens = read(text);
  const lastTarget = tokens.findLastIndex(({ kind }, place) => place <= at && kind === kinds.group);
  expect(positionOf(kinds, tokens, at, kinds.isGroup, lastTarget)).toBe(position);
});

test.each([
  ['women are not scum', true],
  ['i do not think that women are scum', true],
  ['isnt it scum', false],
  ['not so, scum', false],
])('%s: denied %s', (text, isDenied) => {
  const tokens = read(text);
  expect(isDeniedAt(kinds, tokens, tokens.length - 1, 4)).toBe(isDenied);
});

test.each([
  ['women are scum', 'aimed'],
  ['women are not scum', 'harmless'],
  ['women are here', 'harmless'],
  ['you are scum', 'none'],
  ['scum', 'none'],
])('%s: %s', (text, stance) => {
  expect(createStanceReader(lexicon.names)(read(text)).stance).toBe(stance);
});
