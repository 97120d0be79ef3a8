import { setImmediate as tick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startEarly } from './start-early.ts';

test('a failure that comes before its await is not unhandled, and the await sees it', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const early = startEarly(() => Promise.reject(new Error('connection cut')));
  await tick();
  await tick();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
  await expect(early).rejects.toThrow('connection cut');
});

test('the value of the work is the value of the promise', async () => {
  expect(await startEarly(async () => 7)).toBe(7);
});
