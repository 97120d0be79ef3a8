import { expect, test } from 'vitest';
import { contentDisposition, toFileName, withExtension } from './file-name.ts';

test.each([
  ['photo.jpg', 'photo.jpg'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\ana\\Letter.docx', 'Letter.docx'],
  ['..', 'file'],
  ['.htaccess', 'htaccess'],
  ['', 'file'],
  [undefined, 'file'],
  ['a\u0000b\r\nSet-Cookie: x.txt', 'a b Set-Cookie: x.txt'],
  ['invoice\u202egnp.exe', 'invoicegnp.exe'],
  ['Gru\u0308ße 🦔.txt', 'Grüße 🦔.txt'],
  ['half \ud800.txt', 'half \ufffd.txt'],
])('the name %j is shown as %j', (given, expected) => {
  expect(toFileName(given, 200)).toBe(expected);
});

test('a long name is cut before its extension, between characters', () => {
  expect(toFileName(`${'x'.repeat(300)}.tar.gz`, 20)).toBe(`${'x'.repeat(17)}.gz`);
  expect([...toFileName('👩‍👩‍👧'.repeat(40), 16)].length).toBeLessThanOrEqual(16);
});

test('a thumbnail has the name of its file', () => {
  expect(withExtension('a.b.png', 'webp')).toBe('a.b.webp');
  expect(withExtension('picture', 'webp')).toBe('picture.webp');
});

test('a name with quotes, percent signs or other scripts is safe in a header and kept in UTF-8', () => {
  expect(contentDisposition('inline', 'plain.txt')).toBe('inline; filename="plain.txt"');
  expect(contentDisposition('attachment', 'a"b%41\\.txt')).toBe(
    `attachment; filename="a_b_41_.txt"; filename*=UTF-8''a%22b%2541%5C.txt`,
  );
  expect(contentDisposition('attachment', "Grüße (1)'.txt")).toBe(
    `attachment; filename="Gr__e (1)'.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%281%29%27.txt`,
  );
});
