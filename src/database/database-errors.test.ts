import { expect, test } from 'vitest';
import { linkFailure, linkLoss } from './database-errors.ts';

const failed = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });

test.each([
  ['ECONNREFUSED', 'never-connected'],
  ['CONNECT_TIMEOUT', 'never-connected'],
  ['08001', 'never-connected'],
  ['28P01', 'never-connected'],
  ['3D000', 'never-connected'],
  ['53300', 'never-connected'],
  ['57P03', 'never-connected'],
  ['ECONNRESET', 'in-flight'],
  ['08006', 'in-flight'],
  ['08P01', 'in-flight'],
  ['40003', 'in-flight'],
  ['57P01', 'in-flight'],
  ['57P02', 'in-flight'],
  ['57P04', 'in-flight'],
  ['25006', 'rolled-back'],
  ['25P02', 'rolled-back'],
  ['26000', 'rolled-back'],
  ['40001', 'rolled-back'],
  ['40P01', 'rolled-back'],
  ['53100', 'rolled-back'],
  ['53400', 'rolled-back'],
  ['55000', 'rolled-back'],
  ['55P03', 'rolled-back'],
  ['57014', 'rolled-back'],
  ['58030', 'rolled-back'],
  ['58P01', 'rolled-back'],
  ['XX000', 'rolled-back'],
  ['XX001', 'rolled-back'],
  ['22012', undefined],
  ['23505', undefined],
  ['42P01', undefined],
  ['0A000', undefined],
  ['ERR_INVALID_ARG_TYPE', undefined],
])('after %s a statement is %s', (code, outcome) => {
  expect(linkLoss(failed(code))).toBe(outcome);
  // Drizzle wraps it.
  expect(linkLoss(new Error('Failed query', { cause: failed(code) }))).toBe(outcome);
});

test('a statement that was prepared before its table was changed was rolled back, so it can be repeated', () => {
  expect(linkLoss(failed('0A000', { routine: 'RevalidateCachedQuery' }))).toBe('rolled-back');
});

test('a write has an unknown outcome only if it may have been committed', () => {
  expect(linkFailure(failed('57P01'), true)?.code).toBe('outcome_unknown');
  expect(linkFailure(failed('57P01'), false)?.code).toBe('unavailable');
  expect(linkFailure(failed('55000'), true)?.code).toBe('unavailable');
  expect(linkFailure(failed('42P01'), true)).toBeUndefined();
});
