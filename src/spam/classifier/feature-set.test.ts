import { expect, test } from 'vitest';
import { bucketBits, createFeatureSet, views } from './feature-set.ts';
import { createTokenSequence, noFamilies } from './token-sequence.ts';

/** A hash whose bucket is `bucket`. */
const hashFor = (bucket: number): number => (bucket << (32 - bucketBits)) | 0;

test('a bucket counts once per text, at the token where it was first seen', () => {
  const { features, begin, add, moveTo, endToken } = createFeatureSet();
  begin();
  add(hashFor(7), views.word);
  moveTo(5);
  endToken();
  add(hashFor(7), views.piece);
  add(hashFor(8), views.piece);
  expect(features.count).toBe(2);
  expect([...features.hashed.subarray(0, 2)]).toEqual([7, 8]);
  expect([...features.tokenOf.subarray(0, 2)]).toEqual([0, 1]);
  expect([...features.viewOf.subarray(0, 2)]).toEqual([views.word, views.piece]);
  expect(features.offsetOf[0]).toBe(5);
});

test('nothing is left of the text before, also after the text numbers have wrapped around', () => {
  const { features, begin, add } = createFeatureSet();
  for (let text = 0; text < 5000; text++) {
    begin();
    add(hashFor(text % 3), views.word);
    expect(features.count).toBe(1);
  }
});

test('families are paired with those of the words shortly before, and with each other once per text', () => {
  const set = createFeatureSet();
  const sequence = createTokenSequence(set);
  const countOf = (words: readonly (readonly number[])[]): number => {
    set.begin();
    sequence.begin();
    for (const [at, families] of words.entries()) sequence.addToken(hashFor(at + 100), families);
    sequence.addFamilyPairs();
    return set.features.viewOf.subarray(0, set.features.count).filter((view) => view === views.family).length;
  };
  const near = countOf([[1], noFamilies, [2]]);
  const far = countOf([[1], ...new Array<readonly number[]>(9).fill(noFamilies), [2]]);
  expect(near - far).toBe(1);
  expect(countOf([noFamilies, noFamilies])).toBe(0);
});
