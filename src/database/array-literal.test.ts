import { expect, test } from 'vitest';
import { plainArray, textArray } from './array-literal.ts';

test('texts are quoted, with quotes and backslashes escaped', () => {
  expect(textArray([])).toBe('{}');
  expect(textArray(['a', '', 'NULL', 'b,c', '{d}'])).toBe('{"a","","NULL","b,c","{d}"}');
  expect(textArray(['say "hi"', 'back\\slash'])).toBe('{"say \\"hi\\"","back\\\\slash"}');
});

test('plain values are not quoted, and null is NULL', () => {
  expect(plainArray([1, 2n, null, 'x'])).toBe('{1,2,NULL,x}');
});
