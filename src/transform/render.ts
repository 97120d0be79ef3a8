/**
 * Renders a text to safe HTML with its links and mentions. Pure: no I/O, no clock, no await. Each text is parsed once. The time is
 * linear in the length: a text with more markup than people write by hand is shown as it was written.
 */
import type { Token } from 'markdown-it';
import { findBareLinks } from './bare-links.ts';
import { escapeHtml } from './escape-html.ts';
import { writeHtml, writeLink } from './html-writer.ts';
import { createMarkdown } from './markdown.ts';
import { isSafeUrl } from './safe-url.ts';
import { SourceOffsets } from './source-offsets.ts';
import {
  createTextWriter,
  type RenderedLink,
  type RenderedMention,
  type TextWriter,
  withoutOverrides,
} from './text-writer.ts';

export interface Rendered {
  readonly html: string;
  readonly links: readonly RenderedLink[];
  readonly mentions: readonly RenderedMention[];
}

export interface RenderOptions {
  /** Emoji by short code, without the colons. */
  readonly emoji?: ReadonlyMap<string, string>;
}

/** Most links of one text; more stay text. A definition may be used a thousand times, and each link has a hundred characters of attributes. */
const linksMax = 500;
const mentionsMax = 500;
/** A text with deeper emphasis is shown plain, so that a browser does not get a tree of thousands of levels. */
const inlineDepthMax = 50;
/** If all addresses together are longer than the text by this factor, it is shown plain: one definition can be used a thousand times. Percent-encoding takes up to nine. */
const addressGrowthMax = 10;
/** Characters of addresses that every text may have, however short it is. */
const addressFree = 4096;
/** Most Markdown characters and line ends of one text; with more it is shown as it was written. Line ends weigh more, because each may begin a block. */
const marksMax = 3000;
const lineWeight = 4;

const linkSign = 1;
const mark = 2;
/** By character code: whether it may be Markdown anywhere in a line. */
const kinds = new Uint8Array(128);
for (const each of '*_`~[]<>\\&!|\0') kinds[each.charCodeAt(0)] = mark;
for (const each of ':@.') kinds[each.charCodeAt(0)] = linkSign;
/** Beginnings of a line that may be Markdown. */
const blockStart = /^(?:[\s#>+=-]|\d{1,9}[.)])/;
const linkOrMention = /:\/\/|:[a-z0-9_+-]+:|@|[^\s.]\.[^\s.]/;

// A link to nowhere is read as one, and then its text is shown.
const markdown = createMarkdown({ isAllowedUrl: (url) => url === '' || isSafeUrl(url) });
const hrefOf = (url: string): string | undefined => {
  const href = markdown.normalizeLink(url);
  return isSafeUrl(href) ? href : undefined;
};
const noEmoji: ReadonlyMap<string, string> = new Map();

export function render(text: string, { emoji = noEmoji }: RenderOptions = {}): Rendered {
  const { marks, lines, signs } = weigh(text);
  // Most chat messages contain no Markdown.
  const isPlain = marks === 0 && lines === 0 && !blockStart.test(text);
  if (isPlain && (signs === 0 || !linkOrMention.test(text)))
    return { html: `<p>${escapeHtml(withoutOverrides(withoutTail(text)))}</p>\n`, links: [], mentions: [] };
  const tokens = isPlain || marks + lines * lineWeight > marksMax ? undefined : parse(text);
  const writer = createTextWriter({ places: new SourceOffsets(text), emoji, linksMax, mentionsMax });
  const html = tokens ? writeHtml(tokens, writer, markdown.utils.unescapeAll) : writePlain(text, writer);
  return { html, links: writer.links, mentions: writer.mentions };
}

function weigh(text: string): { marks: number; lines: number; signs: number } {
  let marks = 0;
  let lines = 0;
  let signs = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x0a || code === 0x0d) lines++;
    else if (code < 128) {
      const kind = kinds[code];
      if (kind === mark) marks++;
      else if (kind === linkSign) signs++;
    }
  }
  return { marks, lines, signs };
}

/** @returns undefined if the result would be too deep or too large for a browser */
function parse(text: string): Token[] | undefined {
  const tokens = markdown.parse(text, {});
  let addresses = 0;
  for (const { children } of tokens) {
    if (!children) continue;
    const extent = measureInline(children);
    addresses += extent.addresses;
    if (extent.depth > inlineDepthMax || addresses > addressGrowthMax * text.length + addressFree) return undefined;
  }
  return tokens;
}

/** The nesting depth of a line's elements, and the characters of its links' addresses and titles. */
function measureInline(children: readonly Token[]): { depth: number; addresses: number } {
  let level = 0;
  let depth = 0;
  let addresses = 0;
  for (const { nesting, attrs } of children) {
    level += nesting;
    if (level > depth) depth = level;
    if (attrs) for (const [, value] of attrs) addresses += String(value).length;
  }
  return { depth, addresses };
}

/** The text as it was written, line by line, with its links, mentions and emoji. */
function writePlain(text: string, writer: TextWriter): string {
  // HTML does not allow NUL. CommonMark §2.3 replaces it by U+FFFD.
  const shown = withoutTail(text).trimStart().replaceAll('\0', '\ufffd');
  if (shown === '') return '';
  let html = '';
  let from = 0;
  for (const { start, end, href } of findBareLinks(shown, hrefOf)) {
    if (!writer.mayLink()) break;
    html += writer.write(shown.slice(from, start), from > 0) + writeLink(href, shown.slice(start, end), writer);
    from = end;
  }
  html += writer.write(shown.slice(from), from > 0);
  return `<p>${html.replace(/\r\n?|\n/g, '<br />\n')}</p>\n`;
}

/** Removes spaces at the end, as Markdown does for a paragraph. */
function withoutTail(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end--;
  return end === text.length ? text : text.slice(0, end);
}
