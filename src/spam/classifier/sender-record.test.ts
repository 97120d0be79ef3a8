import { expect, test } from 'vitest';
import { recordOdds, withRecord } from './sender-record.ts';

const month = 31 * 86_400;

test('blocked and reported texts raise a score, a proven account lowers it, and an unknown sender changes nothing', () => {
  const odds = [
    { accountAgeSeconds: month, messagesTotal: 500 },
    {},
    { blockedLastDay: 1 },
    { blockedLastDay: 3, reportedLastDay: 1 },
    { blockedLastDay: 4_000_000_000, reportedLastDay: 4_000_000_000, accountAgeSeconds: 0, messagesLastMinute: 1000 },
  ].map(recordOdds);
  expect(odds).toEqual(odds.toSorted((left, right) => left - right));
  expect([recordOdds(undefined), odds[1], odds.at(-1)]).toEqual([0, 0, 2.5]);
  // One complaint outweighs all that was said before.
  expect(recordOdds({ accountAgeSeconds: month, messagesTotal: 500, blockedLastDay: 1 })).toBeGreaterThan(0);
});

test('a record moves undecided scores, never blocks by itself, and leaves certain scores', () => {
  expect(withRecord(0.6, 2.5, 0.95)).toBeGreaterThan(0.8);
  expect(withRecord(0.9, 2.5, 0.95)).toBeLessThan(0.95);
  expect(withRecord(0.96, 2.5, 0.95)).toBeGreaterThan(0.96);
  expect(withRecord(0.85, -0.8, 0.95)).toBeLessThan(0.8);
  expect(withRecord(0.02, 2.5, 0.95)).toBeLessThan(0.5);
  for (const certain of [0, 1]) expect(withRecord(certain, 2.5, 0.95)).toBe(certain);
});
