import { expect, test } from 'vitest';
import { fuzzEngine } from './fuzz-engine.ts';

test('texts that nobody writes are judged in their time and shown safely', async () => {
  const { texts, wrong } = await fuzzEngine({ count: 600, seed: 1, longestMax: 200 });
  expect(wrong).toEqual([]);
  expect(texts).toBe(600);
});
