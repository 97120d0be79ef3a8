import { expect, test } from 'vitest';
import { fuzzEngine } from './fuzz-engine.ts';

test('random and hostile texts are judged in time and rendered safely', async () => {
  const { texts, wrong } = await fuzzEngine({ count: 600, seed: 1, longestMax: 200 });
  expect(wrong).toEqual([]);
  expect(texts).toBe(600);
});
