import { expect, test } from 'vitest';
import { createSenderRecords } from './sender-records.ts';

const hourMs = 3_600_000;

test('refusals of a user are counted for a day from the first one; later ones do not extend it', () => {
  let nowMs = 0;
  const records = createSenderRecords(() => nowMs);
  const userId = '01890000-0000-7000-8000-000000000000';
  expect(records.find(userId)).toBeUndefined();
  records.noteBlocked(userId);
  nowMs = 23 * hourMs;
  records.noteBlocked(userId);
  expect(records.find(userId)).toMatchObject({ blockedLastDay: 2 });
  nowMs = 25 * hourMs;
  expect(records.find(userId)).toBeUndefined();
  records.noteBlocked(userId);
  expect(records.find(userId)).toMatchObject({ blockedLastDay: 1 });
});
