import { expect, test } from 'vitest';
import { decodePage } from './page-charset.ts';
import { readPageHead } from './page-text.ts';

async function* pieces(...all: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const piece of all) yield Buffer.from(piece);
}

const read = (page: string | Buffer, type = 'text/html; charset=utf-8', url = 'https://site.example/a/page') =>
  readPageHead(decodePage(pieces(page), type), url);

test('Open Graph comes before Twitter’s tags, and those before the title', async () => {
  const og =
    '<meta property="og:title" content="From OG"><meta property="og:description" content="D"><meta property="og:site_name" content="S">';
  const twitter = '<meta name="twitter:title" content="From Twitter"><meta name="description" content="Plain">';
  const title = '<title>From the\n  title &amp; more</title>';
  expect(await read(`<head>${title}${twitter}${og}</head>`)).toMatchObject({
    title: 'From OG',
    description: 'D',
    siteName: 'S',
  });
  expect(await read(`<head>${title}${twitter}</head>`)).toMatchObject({ title: 'From Twitter', description: 'Plain' });
  expect(await read(`<head>${title}</head>`)).toEqual({
    ...{ title: 'From the title & more', description: null, siteName: null, pictureUrl: null },
  });
});

test('what follows the head says nothing of the page', async () => {
  const text =
    '<head><title>Page</title></head><body><svg><title>Icon</title></svg><meta property="og:title" content="Comment">';
  async function* endless() {
    yield text;
    yield* Array.from({ length: 3 }, () => '<meta property="og:description" content="late">');
  }
  expect(await readPageHead(endless(), 'https://site.example/')).toMatchObject({ title: 'Page', description: null });
});

test('pictures are absolute, of the web, and an icon in their absence', async () => {
  const picture = async (head: string) => (await read(`<head>${head}</head>`)).pictureUrl;
  expect(await picture('<meta property="og:image" content="/p.png">')).toBe('https://site.example/p.png');
  expect(await picture('<meta property="og:image" content="p.png">')).toBe('https://site.example/a/p.png');
  expect(await picture('<base href="https://cdn.example/x/"><meta name="twitter:image" content="p.png">')).toBe(
    'https://cdn.example/x/p.png',
  );
  expect(await picture('<link rel="apple-touch-icon" href="//cdn.example/i.png">')).toBe('https://cdn.example/i.png');
  expect(await picture('<meta property="og:image" content="data:image/png;base64,AA">')).toBe(null);
  expect(await picture('<meta property="og:image" content="file:///etc/passwd">')).toBe(null);
});

test.each([
  ['a header', 'text/html; charset=windows-1251', Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2]), '', 'Привет'],
  ['a meta tag', 'text/html', Buffer.from([0x93, 0xfa, 0x96, 0x7b]), '<meta charset="shift_jis">', '日本'],
  [
    'an old meta tag',
    'text/html',
    Buffer.from([0xc4, 0xe3, 0xba, 0xc3]),
    '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">',
    '你好',
  ],
  ['UTF-8 without a name', 'text/html', Buffer.from('grüß'), '', 'grüß'],
  ['bytes of Windows without a name', 'text/html', Buffer.from([0x67, 0x72, 0xfc, 0xdf]), '', 'grüß'],
  ['an unknown name', 'text/html; charset=klingon', Buffer.from('grüß'), '', 'grüß'],
])('the text is decoded by %s', async (_what, type, title, meta, expected) => {
  const page = Buffer.concat([Buffer.from(`<head>${meta}<title>`), title, Buffer.from('</title></head>')]);
  expect((await read(page, type)).title).toBe(expected);
});

test('a byte order mark counts more than the header, and a character may be cut between pieces', async () => {
  const text = Buffer.from(`\ufeff<head><title>${'é'.repeat(200)}</title></head>`, 'utf16le');
  expect((await read(text, 'text/html; charset=utf-8')).title).toBe('é'.repeat(200));
  const long = Buffer.from(`<head>${' '.repeat(1100)}<title>日本</title></head>`);
  const parts = Array.from(long, (byte) => Buffer.from([byte]));
  expect((await readPageHead(decodePage(pieces(...parts), 'text/html'), 'https://site.example/')).title).toBe('日本');
});

test('texts are one line, bounded, and hold nothing that turns the direction of what follows', async () => {
  expect((await read(`<title>${'a'.repeat(5000)}</title>`)).title).toHaveLength(300);
  expect((await read(`<title>${' '.repeat(900_000)}late</title>`)).title).toBe(null);
  expect((await read('<title>one\r\n\ttwo\u202e\u0000three</title>')).title).toBe('one two three');
  expect((await read('<title>   </title>')).title).toBe(null);
  expect((await read(`<meta property="og:title" content="${'<b>'.repeat(9)}"><title>t`)).title).toBe('<b>'.repeat(9));
});
