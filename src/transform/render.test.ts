import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { render } from './render.ts';

const markup = new URL('../../data/moderation/markup/', import.meta.url);
const emoji = new Map([['rose', '🌹']]);

test.each([
  ['plain words', 'hello there', '<p>hello there</p>\n'],
  ['what HTML would be', 'a < b & "c"', '<p>a &lt; b &amp; &quot;c&quot;</p>\n'],
  ['a script', '<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n'],
  ['emphasis', '**a** *b* ~~c~~', '<p><strong>a</strong> <em>b</em> <s>c</s></p>\n'],
  ['a short code', 'for you :rose: :nothing:', '<p>for you 🌹 :nothing:</p>\n'],
  ['a task list', '- [x] done', '<ul>\n<li><input checked="" disabled="" type="checkbox"> done</li>\n</ul>\n'],
  ['a file name', 'see readme.md', '<p>see readme.md</p>\n'],
])('%s', (_, text, html) => {
  expect(render(text, { emoji }).html).toBe(html);
});

test.each([
  ['javascript:alert(1)'],
  ['JaVaScRiPt:alert(1)'],
  ['data:text/html,x'],
  ['vbscript:x'],
  ['file:///etc/passwd'],
  ['java\u200bscript:x'],
  ['//example.org'],
  [''],
])('no link goes to %s', (url) => {
  expect(render(`[x](${url}) <${url}>`).html).not.toContain('<a ');
});

test('links are marked as a stranger’s and listed with their place', () => {
  const text = 'go to https://example.org/a?b=c or [here](https://example.com)';
  const { html, links } = render(text);
  expect(html.match(/rel="noopener noreferrer nofollow ugc"/g)).toHaveLength(2);
  expect(links.map(({ url, start, end }) => [url, text.slice(start, end)])).toEqual([
    ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
    ['https://example.com', '[here](https://example.com)'],
  ]);
});

test('mentions are found where people are meant, with their place', () => {
  const text = '@ana and @ben-2. not a@b.example, `@code`, [@link](https://example.org) or @';
  const { mentions, html } = render(text);
  expect(mentions.map(({ name, start, end }) => [name, text.slice(start, end)])).toEqual([
    ['ana', '@ana'],
    ['ben-2', '@ben-2'],
  ]);
  expect(html).toContain('<span class="mention" data-username="ana">@ana</span>');
});

test('an image is a link: it would tell its host who reads', () => {
  const { html } = render('![cat](https://example.org/cat.png)');
  expect(html).not.toContain('<img');
  expect(html).toContain('href="https://example.org/cat.png"');
});

const tags = new Set(
  'p em strong code pre a ul ol li blockquote h1 h2 h3 h4 h5 h6 hr br table thead tbody tr th td s span input'.split(
    ' ',
  ),
);
const attributes = new Set('href title target rel class data-username align start checked disabled type'.split(' '));

test('of all known attacks nothing is left but allowed tags, attributes and schemes', () => {
  const attacks = readFileSync(new URL('xss.dev.jsonl', markup), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text);
  expect(attacks.length).toBeGreaterThan(400);
  for (const attack of attacks) {
    for (const [, name, rest] of render(attack).html.matchAll(/<\/?([a-zA-Z0-9-]+)([^>]*)>/g)) {
      expect(tags.has(name!), attack).toBe(true);
      for (const [, attribute, value] of rest!.matchAll(/([a-z-]+)="([^"]*)"/g)) {
        expect(attributes.has(attribute!), attack).toBe(true);
        if (attribute === 'href') expect(value, attack).toMatch(/^(https?:\/\/|mailto:)/i);
      }
    }
  }
});

interface Example {
  readonly example: number;
  readonly markdown: string;
  readonly html: string;
}

test('what CommonMark says about all but raw HTML, images and relative links holds', () => {
  const spec = JSON.parse(readFileSync(new URL('commonmark-0.31.2.json', markup), 'utf8')) as Example[];
  const own = (html: string) =>
    html
      .replace('<blockquote></blockquote>', '<blockquote>\n</blockquote>')
      .replaceAll(' target="_blank" rel="noopener noreferrer nofollow ugc"', '');
  const wrong = spec
    // Left out: what is refused or changed on purpose.
    .filter(
      ({ markdown, html }) =>
        !/<(?!p|em|strong|code|pre|ul|ol|li|blockquote|h\d|hr|br|a |\/)/.test(html) && !/<[a-zA-Z/!?]/.test(markdown),
    )
    .filter(({ html }) => [...html.matchAll(/href="([^"]*)"/g)].every(([, url]) => /^(https?:\/\/|mailto:)/.test(url!)))
    .filter(({ markdown }) => !/\]\s?[[(:]/.test(markdown) || /https?:/.test(markdown))
    .filter(({ markdown }) => !/!\[/.test(markdown))
    // Extensions: bare links and strikethrough.
    .filter(({ markdown }) => !/https?:\/\/|@|~~|\|/.test(markdown))
    .filter(({ markdown, html }) => own(render(markdown).html) !== html);
  expect(wrong.map(({ example }) => example)).toEqual([]);
});

test.each([
  ['quotes in quotes', '> '.repeat(4000)],
  ['brackets', '['.repeat(8000)],
  ['emphasis', '*a '.repeat(2700)],
  ['a wide table', `${'| a '.repeat(1500)}\n${'|-'.repeat(1500)}`],
  ['short rows of a wide table', `${'a|'.repeat(20)}\n${'-|'.repeat(20)}\n${'a\n'.repeat(4000)}`],
  ['uses of one long address', `[x]: https://a.example/${'b'.repeat(4000)}\n\n${'[x]'.repeat(1300)}`],
  ['combining marks', `a${'\u0301'.repeat(7999)}`],
  ['half surrogates', '\ud800'.repeat(4000)],
])('%s without end are rendered, and not at length', (_, text) => {
  expect(render(text).html.length).toBeLessThan(text.length * 8 + 100);
});

test('emphasis in emphasis does not become a deep tree', () => {
  expect(render(`${'**'.repeat(2000)}a${'**'.repeat(2000)}`).html).not.toContain('<strong>');
  expect(render('***a***').html).toBe('<p><em><strong>a</strong></em></p>\n');
});
