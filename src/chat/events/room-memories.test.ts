import { expect, test } from 'vitest';
import { createContendedRooms } from './contended-rooms.ts';
import { createMailJobsDue } from './mail-jobs-due.ts';

test('a room is contended for five seconds after a conflict', () => {
  let nowMs = 0;
  const rooms = createContendedRooms(() => nowMs);
  rooms.note('a');
  nowMs = 4999;
  expect([rooms.has('a'), rooms.has('b')]).toEqual([true, false]);
  nowMs = 5000;
  expect(rooms.has('a')).toBe(false);
});

test('a room needs a mail job if it has none, or one that may be running already', () => {
  let nowMs = 0;
  const jobs = createMailJobsDue(600_000, () => nowMs);
  expect(jobs.missing(['a', 'b'])).toEqual(['a', 'b']);
  jobs.added(['a'], 0);
  expect(jobs.missing(['a', 'b'])).toEqual(['b']);
  nowMs = 600_000 - 30_000;
  expect(jobs.missing(['a'])).toEqual([]);
  nowMs += 1;
  expect(jobs.missing(['a'])).toEqual(['a']);
});

test('after the log was replaced every room needs a mail job', () => {
  const jobs = createMailJobsDue(600_000, () => 0);
  jobs.added(['a'], 0);
  jobs.clear();
  expect(jobs.missing(['a'])).toEqual(['a']);
});

test('without mail no room needs a job', () => {
  expect(createMailJobsDue(undefined, () => 0).missing(['a'])).toEqual([]);
});
