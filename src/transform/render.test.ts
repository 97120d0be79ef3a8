import { expect, test } from 'vitest';
import { findLive } from '../../scripts/evaluate/live-html.ts';
import { differenceOf, examplesOf, parserAgrees } from '../../scripts/evaluate/markup-conformance.ts';
import { attackTexts } from '../../scripts/evaluate/script-injection-suite.ts';
import { createRandom, pick } from '../../scripts/training/random.ts';
import { hostileTexts } from '../../test/fuzz/hostile-texts.ts';
import { render } from './render.ts';

const emoji = new Map([['rose', '🌹']]);

test.each([
  ['plain words', 'hello there', '<p>hello there</p>\n'],
  ['what HTML would be', 'a < b & "c"', '<p>a &lt; b &amp; &quot;c&quot;</p>\n'],
  ['a script', '<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  ['emphasis', '**a** *b* ~~c~~ ~d~', '<p><strong>a</strong> <em>b</em> <del>c</del> <del>d</del></p>\n'],
  ['a short code', 'for you :rose: :nothing:', '<p>for you 🌹 :nothing:</p>\n'],
  ['a task list', '- [x] done', '<ul>\n<li><input type="checkbox" checked="" disabled="" /> done</li>\n</ul>\n'],
  ['a file name', 'see readme.md', '<p>see readme.md</p>\n'],
  [
    'raw HTML',
    '<div>\n*a* @ana\n</div>',
    '&lt;div&gt;\n*a* <span class="mention" data-username="ana">@ana</span>\n&lt;/div&gt;',
  ],
  ['code with its language', '``` ts\na < b\n```', '<pre><code class="language-ts">a &lt; b\n</code></pre>\n'],
  ['nothing but spaces', ' \t ', ''],
  ['marks that turn the direction', 'a\u202eb', '<p>ab</p>\n'],
])('%s', (_, text, html) => {
  expect(render(text, { emoji }).html).toBe(html);
});

const codes = new Map(
  Object.entries({ tada: '🎉', ab: '🆎', cd: '💿', db8: '🅱', id: '🆔', cool: '😎', '30': '🕧', '100': '💯' }),
);

test.each([
  '00:ab:cd:12:34:56',
  '2001:db8::1',
  'fe80::ab:cd:ef and ::ab:cd',
  '12:30:45 or 7:30:',
  'std::cool::map',
  'done:tada:',
  ':tada:s',
  '::tada::',
  'GET /users/:id:/orders',
  'key=:tada:',
  'redis://host:cd:1/2',
  'see 10.0.0.1:cd: x',
  'see https://a.example:cd: x',
  'https://a.example/:tada:/x',
  'ana@a.example:tada:',
  '@ana:tada:',
])('nothing in the middle of words, addresses and times is a short code: %s', (text) => {
  for (const written of [text, `${text} *ok*`, `*ok* ${text}`, `- ${text}`])
    expect(render(written, { emoji: codes }).html).not.toMatch(/[🎉🆎💿🅱🆔😎🕧💯]/u);
});

test.each([
  ['done :tada:', 'done 🎉'],
  [':tada:', '🎉'],
  ['ok :tada::100:!', 'ok 🎉💯!'],
  ["(:tada:) ':cool:', :100:.", "(🎉) '😎', 💯."],
  ['太好了:tada:！谢谢', '太好了🎉！谢谢'],
  ['🎉:tada:', '🎉🎉'],
])('a short code that stands alone is an emoji: %s', (text, shown) => {
  expect(render(text, { emoji: codes }).html).toBe(`<p>${shown}</p>\n`);
  expect(render(`${text} *ok*`, { emoji: codes }).html).toContain(shown);
});

test.each([
  ['javascript:alert(1)'],
  ['JaVaScRiPt:alert(1)'],
  ['data:text/html,x'],
  ['vbscript:x'],
  ['file:///etc/passwd'],
  ['java\u200bscript:x'],
  ['//example.org'],
  ['/\\\\example.org'],
  ['\\\\\\\\example.org'],
  ['irc://example.org'],
  ['java%73cript:alert(1)'],
  ['x:y'],
  ['&#x6a;avascript:alert(1)'],
  ['https://exa\u200dmple.org'],
  ['http:///example.org'],
  [''],
])('no link goes to %s', (url) => {
  expect(render(`[x](${url}) <${url}>`).html).not.toContain('<a ');
});

test('links are marked as untrusted and listed with their offsets', () => {
  const text = 'go to https://example.org/a?b=c or [here](https://example.com)';
  const { html, links } = render(text);
  expect(html.match(/rel="noopener noreferrer nofollow ugc"/g)).toHaveLength(2);
  expect(links.map(({ url, start, end }) => [url, text.slice(start, end)])).toEqual([
    ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
    ['https://example.com', '[here](https://example.com)'],
  ]);
});

test('a relative link is a link', () => {
  for (const url of ['/orders/17?x=1#y', 'orders', '#top', '?page=2'])
    expect(render(`[x](${url})`).html).toContain(`<a href="${url}" target="_blank"`);
});

test('a bare address ends where the sentence goes on', () => {
  const shown = (text: string) => render(text).links.map((link) => link.text);
  expect(shown('see https://a.example/b_c_(d), or www.a.example/x.')).toEqual([
    'https://a.example/b_c_(d)',
    'www.a.example/x',
  ]);
  expect(shown('mail ana@a.example, not a@b+c.example; ~~https://a.example~~')).toEqual([
    'ana@a.example',
    'https://a.example',
  ]);
  expect(shown('`https://a.example` \\https\\://a.example main.rs')).toEqual([]);
});

test.each([
  ['请看https://example.org/a 谢谢', ['https://example.org/a']],
  ['请看https://example.org/a，谢谢', ['https://example.org/a']],
  ['（https://example.org/a）「https://example.net」', ['https://example.org/a', 'https://example.net']],
  ['見てhttps://例え.jp/パス です', ['https://例え.jp/パス']],
  ['링크는https://example.org/a 입니다', ['https://example.org/a']],
  ['смотриhttps://пример.рф/путь тут', ['https://пример.рф/путь']],
  ['https://example.org谢谢', ['https://example.org']],
  ['https://example.org:8080谢谢', ['https://example.org:8080']],
  ['https://example.org🎉', ['https://example.org']],
  ['https://example.org～https://example.net＋', ['https://example.org', 'https://example.net']],
  ['https://example.org？b https://example.org/a：c', ['https://example.org', 'https://example.org/a']],
  ['https://www.münchen.de/ü', ['https://www.münchen.de/ü']],
  ['看www.example.org吧', ['www.example.org']],
  ['example.org，谢谢', ['example.org']],
  ['example.org谢谢', ['example.org']],
  ['例え.jp', ['例え.jp']],
  ['mailto:ana@example.org谢谢', ['mailto:ana@example.org']],
  ['https://ja.wikipedia.org/wiki/日本', ['https://ja.wikipedia.org/wiki/日本']],
  // Where the word ends and the name begins cannot be told, or the name is read in two ways.
  ['看example.org 谢谢', []],
  ['https://example。org', []],
  ['git+https://example.org xhttps://example.org 1https://example.org', []],
])('addresses beside scripts without spaces: %s', (text, written) => {
  for (const each of [text, `${text} *ok*`, `*ok* ${text}`, `${text}\n\n- ok`]) {
    const { links } = render(each);
    expect(links.map((link) => link.text)).toEqual(written);
    expect(links.map(({ start, end }) => each.slice(start, end))).toEqual(written);
  }
});

test('a link leads to the host that the reader sees', () => {
  const links = linkTexts(2000).flatMap((text) => render(text).links);
  const web = links.filter(({ url }) => !url.startsWith('mailto:'));
  expect(web.length).toBeGreaterThan(500);
  for (const { url, text } of web) {
    const host = /^(?:[a-z]+:\/\/)?(?:[^\s/?#@]*@)?(\[[^\]]*\]|[^\s/?#:]+)/i.exec(text)![1]!;
    expect(new URL(url).hostname, text).toBe(new URL(`http://${host}`).hostname);
  }
});

test('plain text and Markdown text with the same words find and show the same links', () => {
  for (const text of linkTexts(3000)) {
    const plain = render(text, { emoji: codes });
    const marked = render(`${text} *ok*`, { emoji: codes });
    expect(marked.links, text).toEqual(plain.links);
    expect(marked.mentions, text).toEqual(plain.mentions);
    expect(marked.html, text).toBe(plain.html.replace(/<\/p>\n$/, ' <em>ok</em></p>\n'));
  }
});

/** Texts of one line without marks, put together of what is about addresses. */
function linkTexts(count: number): string[] {
  const random = createRandom(17);
  const parts = [
    'https://example.org|http://a.example/b|HTTPS://EXAMPLE.org/A|https://example.org:8080|https://u:p@example.org/|http://[::1]:80/a',
    'https://例え.jp|https://пример.рф/путь|https://münchen.de|https://xn--mnchen-3ya.de/|ftp://example.org|javascript://x|https://|://',
    'http:///x|https://10.0.0.1|http://localhost:3000|https://a.example/b_(c)|https://a.example/%E8%B0%A2',
    'www.example.org|example.org|a.example.com/x?y=z#q|例え.jp|readme.md|10.0.0.5:80|ana@example.org|mailto:ben@example.net|@ana|@ben.2',
    '请看|谢谢|見て|です|링크|입니다|смотри|тут|hello|x|é|1|ไทย|हिन्दी|שלום|مرحبا|🎉|👍🏽|\u0301|\u200b|\u202e',
    ' / , /. /，/。/！/？/：/；/、/「/」/（/）/～/＋/…/·/?/#/=/-/:/;/)/(/{/}/%20/\u3000/\u00a0/"/$/^/%'
      .split('/')
      .join('|'),
    ' |, |. |，|。|（|）|:tada:|:100:|:cd:|::|12:30:45|/path|?q=1|#top|.org|.com|:8080|@',
  ].map((list) => list.split('|'));
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(random() * 7);
    const text = Array.from({ length }, () => pick(pick(parts, random), random)).join('');
    // Not a block of its own, and no spaces at its ends, which Markdown cuts off.
    return `a ${text} b`;
  });
}

test('mentions are found where people are meant, with their offsets', () => {
  const text = '@ana and @ben-2. not a@b.example, `@code`, [@link](https://example.org) or @';
  const { mentions, html } = render(text);
  expect(mentions.map(({ name, start, end }) => [name, text.slice(start, end)])).toEqual([
    ['ana', '@ana'],
    ['ben-2', '@ben-2'],
  ]);
  expect(html).toContain('<span class="mention" data-username="ana">@ana</span>');
});

test('an image becomes a link, because loading it would tell its host who reads', () => {
  const { html } = render('![cat](https://example.org/cat.png)');
  expect(html).not.toContain('<img');
  expect(html).toContain('href="https://example.org/cat.png"');
});

test('no known attack survives in the tree, wherever in a text it is', () => {
  const texts = attackTexts();
  expect(texts.length).toBeGreaterThan(5000);
  for (const text of texts) {
    const { foreign, schemes, styles, unmarked } = findLive(render(text).html);
    expect([foreign, schemes, styles, unmarked], text).toEqual([[], [], [], []]);
  }
});

test('the parser agrees with every example of CommonMark, and with all but three of GFM', () => {
  expect(examplesOf('commonmark-0.31.2').filter((each) => !parserAgrees(each))).toEqual([]);
  const others = examplesOf('gfm-0.29').filter((each) => !parserAgrees(each));
  // Comments with `--` in them and `<!-->`, which CommonMark 0.31 reads as HTML; and nine elements that GFM shows as text, as we show all.
  expect(others.map(({ example }) => example)).toEqual([645, 646, 653]);
});

test.each(['commonmark-0.31.2', 'gfm-0.29'] as const)('what is shown differs from %s by policy alone', (file) => {
  expect(examplesOf(file).filter((each) => differenceOf(each) === undefined)).toEqual([]);
});

test.each(Object.entries(hostileTexts))('%s without end: small, shallow and harmless', (_, make) => {
  for (const length of [200, 8192, 65_536]) {
    const text = make(length);
    const { html, links, mentions } = render(text);
    expect(html.length).toBeLessThan(text.length * 16 + 20_000);
    expect(Math.max(links.length, mentions.length)).toBeLessThanOrEqual(500);
    const { depth, ...finds } = findLive(html);
    expect(depth).toBeLessThan(110);
    expect(finds).toEqual({ foreign: [], schemes: [], styles: [], unmarked: [] });
  }
});

test('nested emphasis does not become a deep tree', () => {
  expect(render(`${'**'.repeat(2000)}a${'**'.repeat(2000)}`).html).not.toContain('<strong>');
  expect(render('***a***').html).toBe('<p><em><strong>a</strong></em></p>\n');
});

test('a text with too much markup is shown as it was written, with its links and mentions', () => {
  const { html, links, mentions } = render(`${'*a* '.repeat(4000)}\nhttps://a.example @ana`);
  expect(html).not.toContain('<em>');
  expect([links[0]?.url, mentions[0]?.name]).toEqual(['https://a.example', 'ana']);
});
