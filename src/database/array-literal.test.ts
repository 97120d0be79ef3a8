import { expect, test } from 'vitest';
import { plainArray, textArray } from './array-literal.ts';

test('texts are quoted, and what would end a quotation is escaped', () => {
  expect(textArray([])).toBe('{}');
  expect(textArray(['a', '', 'NULL', 'b,c', '{d}'])).toBe('{"a","","NULL","b,c","{d}"}');
  expect(textArray(['say "hi"', 'back\\slash'])).toBe('{"say \\"hi\\"","back\\\\slash"}');
});

test('plain values stand bare, absent ones as NULL', () => {
  expect(plainArray([1, 2n, null, 'x'])).toBe('{1,2,NULL,x}');
});
