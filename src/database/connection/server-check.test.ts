import { expect, test } from 'vitest';
import { requireFit, type ServerFacts, UnfitDatabaseError } from './server-check.ts';

const facts: ServerFacts = { version: 180_004, encoding: 'UTF8', read_only: false, standby: false, settings: {} };

test.each([120_022, 130_023])('the old version %i is refused with the one that is needed', (version) => {
  expect(() => requireFit({ ...facts, version })).toThrow(UnfitDatabaseError);
  expect(() => requireFit({ ...facts, version })).toThrow(/Parley needs 14 or newer/);
});

test.each([140_000, 150_018, 180_004])('version %i fits', (version) => {
  expect(() => requireFit({ ...facts, version })).not.toThrow();
});

test('a standby is not refused for good, because it may be about to take over', () => {
  expect(() => requireFit({ ...facts, read_only: true, standby: true })).toThrow(
    expect.objectContaining({ code: '25006', message: expect.stringContaining('standby') }),
  );
});
