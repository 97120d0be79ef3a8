import { expect, test } from 'vitest';
import { type Contribution, combine, decodeContribution, encodeContribution, isNone } from './presence-status.ts';

const present = (status: Contribution['status']): Contribution => ({ status, leftAtMs: undefined });
const left = (status: Contribution['status'], leftAtMs: number): Contribution => ({ status, leftAtMs });

test.each([
  [[], 'offline'],
  [[present('away')], 'away'],
  [[present('away'), present('dnd')], 'dnd'],
  [[present('dnd'), present('online'), present('away')], 'online'],
  [[left('online', 2), present('away')], 'away'],
  [[left('away', 3), left('online', 2)], 'away'],
  [[left('away', 2), left('dnd', 3)], 'dnd'],
] as const)('%j together are %s', (contributions, status) => {
  expect(combine(contributions)).toBe(status);
});

test('a contribution is read as it was written, and a text of a newer version is none', () => {
  for (const each of [present('online'), left('online', 1_790_000_000_000), present('away'), left('dnd', 1), undefined])
    expect(decodeContribution(encodeContribution(each, 17))).toEqual({ contribution: each, version: 17 });
  expect(isNone(encodeContribution(undefined, 1))).toBe(true);
  expect(isNone(encodeContribution(present('away'), 1))).toBe(false);
  expect(decodeContribution('x3')).toEqual({ contribution: undefined, version: 3 });
});
