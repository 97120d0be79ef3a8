import { expect, test } from 'vitest';
import { judgeableEnd } from './judgeable-end.ts';

test('a text that grows is judged up to the end of its last whole word', () => {
  expect(judgeableEnd('the assis', 0)).toBe(4);
  expect(judgeableEnd('the assis', 4)).toBe(4);
  expect(judgeableEnd('the assistant ', 4)).toBe(14);
  expect(judgeableEnd('', 0)).toBe(0);
});

test('scripts without spaces are judged up to the last character', () => {
  expect(judgeableEnd('你好世界', 0)).toBe(4);
  expect(judgeableEnd('สวัสดี', 0)).toBeGreaterThan(0);
});

test('a word longer than any word is judged as it is, with its surrogate pairs whole', () => {
  const text = `${'x'.repeat(100)}𝒳`;
  expect(judgeableEnd(text, 0)).toBe(text.length);
  expect(judgeableEnd('x'.repeat(100), 0)).toBe(0);
});
