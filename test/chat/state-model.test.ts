import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { runModel } from '../model/model-run.ts';

let fleet: BorrowedFleet;
beforeAll(async () => {
  fleet = await borrowFleet();
});
afterAll(() => fleet.end());

test('after random operations, what each device built from events is what REST answers', async () => {
  const { differences, comparisons } = await runModel({
    urls: fleet.chats.map(({ url }) => url),
    seed: 1,
    operations: 1500,
    checkEvery: 500,
  });
  expect(differences).toEqual([]);
  expect(comparisons).toBeGreaterThan(30);
});
