import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type CoalesceBounds, coalesce } from './coalesce.ts';

/** A coalesced function whose queries are answered by hand. */
function startQuestion(bounds: CoalesceBounds) {
  const queries: { readonly keys: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const ask = coalesce<string, string>(
    (keys) =>
      new Promise((resolve, reject) => {
        queries.push({ keys, answer: () => resolve(keys.map((key) => key.toUpperCase())), fail: reject });
      }),
    bounds,
  );
  return { ask, queries, asked: () => queries.map(({ keys }) => keys) };
}

test('calls in one tick share a query, and later calls have another one', async () => {
  const { ask, queries, asked } = startQuestion({ batchMax: 10 });
  const first = Promise.all([ask('a'), ask('b')]);
  await nextTurn();
  const second = ask('c');
  await nextTurn();
  expect(asked()).toEqual([['a', 'b'], ['c']]);
  queries[1]!.answer();
  queries[0]!.answer();
  expect([await first, await second]).toEqual([['A', 'B'], 'C']);
});

test('calls during a query gather, and never share that query', async () => {
  const { ask, queries, asked } = startQuestion({ batchMax: 10, gatherMs: 60_000 });
  const first = ask('a');
  await nextTurn();
  const later = Promise.all([ask('b'), nextTurn().then(() => ask('c'))]);
  await nextTurn();
  await nextTurn();
  expect(asked()).toEqual([['a']]);
  queries[0]!.answer();
  expect(await first).toBe('A');
  await expect.poll(asked).toEqual([['a'], ['b', 'c']]);
  queries[1]!.answer();
  expect(await later).toEqual(['B', 'C']);
});

test('a query that hangs delays other calls by no more than gatherMs', async () => {
  const { ask, queries, asked } = startQuestion({ batchMax: 10, gatherMs: 5 });
  const hanging = ask('a');
  await nextTurn();
  const other = ask('b');
  await expect.poll(asked).toEqual([['a'], ['b']]);
  queries[1]!.answer();
  expect(await other).toBe('B');
  queries[0]!.answer();
  expect(await hanging).toBe('A');
});

test('a failed query fails every call that shares it, and the next query runs as usual', async () => {
  const { ask, queries } = startQuestion({ batchMax: 10, gatherMs: 60_000 });
  const first = Promise.allSettled([ask('a'), ask('b')]);
  await nextTurn();
  const second = ask('c');
  queries[0]!.fail(new Error('gone'));
  expect((await first).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect.poll(() => queries.length).toBe(2);
  queries[1]!.answer();
  expect(await second).toBe('C');
});

test('a query has at most batchMax keys, and at most atOnceMax queries run at once', async () => {
  const { ask, queries, asked } = startQuestion({ batchMax: 2, atOnceMax: 2, gatherMs: 1 });
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(ask));
  await nextTurn();
  await pause(5);
  expect(asked()).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  expect(ask.waiting()).toBe(1);
  queries[0]!.answer();
  await expect.poll(() => queries.length).toBe(3);
  for (const { answer } of queries) answer();
  expect(await all).toEqual(['A', 'B', 'C', 'D', 'E']);
});
