import { expect, test } from 'vitest';
import { requireEmail, toAsciiDomain } from './user-text.ts';

test.each([
  ['ana@example.org', 'ana@example.org'],
  ['  Ana.B+chat@Example.ORG ', 'Ana.B+chat@Example.ORG'],
  ['ana@exämple.org', 'ana@xn--exmple-cua.org'],
  ['ana@例え.テスト', 'ana@xn--r8jz45g.xn--zckzah'],
  ['ana@xn--exmple-cua.org', 'ana@xn--exmple-cua.org'],
  [`${'a'.repeat(64)}@example.org`, `${'a'.repeat(64)}@example.org`],
])('the address %j is stored as %j', (typed, stored) => {
  expect(requireEmail(typed)).toBe(stored);
});

test.each([
  ['jörg@example.org', 'only ASCII letters are possible before the "@"'],
  [`${'a'.repeat(65)}@example.org`, 'at most 64 characters are possible before the "@"'],
  ['ana', 'not an e-mail address'],
  ['@example.org', 'not an e-mail address'],
  ['ana@example', 'not an e-mail address'],
  ['ana ben@example.org', 'not an e-mail address'],
  ['"ana"@example.org', 'not an e-mail address'],
  ['ana@ben@example.org', 'not an e-mail address'],
  ['ana@exä mple.org', 'not an e-mail address'],
  ['ana@[127.0.0.1]', 'not an e-mail address'],
  ['ana@example.org\r\nbcc: ben@example.org', 'not an e-mail address'],
  [
    `ana@${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(60)}`,
    'not an e-mail address',
  ],
])('the address %j is refused with a reason', (typed, reason) => {
  expect(() => requireEmail(typed)).toThrow(expect.objectContaining({ code: 'invalid', message: `email: ${reason}` }));
});

test('only the domain of an address is written in ASCII, and other texts stay as they are', () => {
  expect(['ana', 'jörg@exämple.org', 'ä@', '@ä.org', 'ana@ä b.org'].map(toAsciiDomain)).toEqual([
    'ana',
    'jörg@xn--exmple-cua.org',
    'ä@',
    '@ä.org',
    'ana@ä b.org',
  ]);
});
