import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

test('waits grow to half a minute and never beyond', () => {
  expect([0, 1, 2, 5, 6, 50].map((attempt) => backoffMs(attempt, 0, () => 1))).toEqual([
    500, 1000, 2000, 16_000, 30_000, 30_000,
  ]);
});

test('jitter is full, and what the server asks for is the least', () => {
  expect(backoffMs(3, 0, () => 0)).toBe(0);
  expect(backoffMs(0, 4000, () => 0.5)).toBe(4250);
});
