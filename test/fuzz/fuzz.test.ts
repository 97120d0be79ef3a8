import { expect, test } from 'vitest';
import { fuzzEngine } from './fuzz-engine.ts';

test('texts that nobody writes are judged and shown safely, and cost no thread', async () => {
  const { texts, wrong, lostThreads } = await fuzzEngine({ count: 600, seed: 1, longestMax: 1000 });
  expect(wrong).toEqual([]);
  expect(lostThreads).toEqual([]);
  expect(texts).toBe(600);
});
