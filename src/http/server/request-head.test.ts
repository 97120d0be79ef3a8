import { expect, test } from 'vitest';
import { isHostRepeated, originForm } from './request-head.ts';

test.each([
  ['/v1/rooms?limit=1', '/v1/rooms?limit=1'],
  ['http://parley.example/v1/rooms', '/v1/rooms'],
  ['https://parley.example?limit=1', '/?limit=1'],
  ['*', '*'],
])('the origin form of %s is %s', (target, expected) => {
  expect(originForm(target)).toBe(expected);
});

test('a second Host header is found in any case', () => {
  expect(isHostRepeated(['Host', 'a', 'Accept', 'host'])).toBe(false);
  expect(isHostRepeated(['Host', 'a', 'hOST', 'a'])).toBe(true);
});
