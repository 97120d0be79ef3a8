/** Text in; safe HTML, links and mentions out. Pure: no I/O, no clock, no await. */
import type { Token } from 'markdown-it';
import { createMarkdown } from './markdown.ts';

export interface RenderedLink {
  readonly url: string;
  /** What the reader sees. */
  readonly text: string;
  /** UTF-16 offsets [start, end) in the original text. */
  readonly start: number;
  readonly end: number;
}

export interface RenderedMention {
  /** Without the @, as it was written. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface Rendered {
  readonly html: string;
  readonly links: readonly RenderedLink[];
  readonly mentions: readonly RenderedMention[];
}

export interface RenderOptions {
  /** Emoji by short code, without the colons. */
  readonly emoji?: ReadonlyMap<string, string>;
  /** Links and mentions beyond this many are not listed. */
  readonly listMax?: number;
}

/** A name after an @ that nothing of an address stands before. */
const mention = /(?<![\p{L}\p{N}_.@/-])@([A-Za-z0-9][A-Za-z0-9_.-]{1,31})/gu;
const shortCode = /:([a-z0-9_+-]{1,64}):/g;
/** Marks that turn the direction of what follows without an end of their own. */
const directionOverrides = /[\u202d\u202e]/g;
/** Anything that Markdown, a link, a mention or a short code could begin with. */
const special = /[\n\r\t*_`~[\]<>#|\\&:@!^"]|^[\s+-]|^\d{1,9}[.)]|\w\.\w|^[=]/;
/** Emphasis within emphasis beyond this makes the whole text plain: a browser must not get a tree of thousands of levels. */
const inlineDepthMax = 50;
/** One definition can be named a thousand times: addresses longer in sum than the text by this factor make it plain. Percent-encoding takes up to nine. */
const addressGrowthMax = 10;
/** Characters of addresses that any text may have, however short it is. */
const addressFree = 4096;
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const markdown = createMarkdown();

export function render(text: string, { emoji = new Map(), listMax = 1000 }: RenderOptions = {}): Rendered {
  // Most lines of a chat hold nothing that Markdown knows.
  if (!special.test(text)) return renderPlain(text);
  const tokens = markdown.parse(text, {});
  const places = new Places(text);
  const links: RenderedLink[] = [];
  const mentions: RenderedMention[] = [];
  const visit = { emoji, places, links, mentions, listMax };
  let addresses = 0;
  for (const token of tokens) {
    if (token.type !== 'inline' || !token.children) continue;
    const extent = measureInline(token.children);
    addresses += extent.addresses;
    if (extent.depth > inlineDepthMax || addresses > addressGrowthMax * text.length + addressFree)
      return renderPlain(text);
    places.enter(token.map?.[0] ?? 0);
    token.children = visitInline(token.children, visit);
  }
  return { html: markdown.renderer.render(tokens, markdown.options, {}), links, mentions };
}

/** The text as it was written, line by line. */
function renderPlain(text: string): Rendered {
  const html = escapeHtml(text.trim().replace(directionOverrides, '')).replace(/\r\n?|\n/g, '<br>\n');
  return { html: `<p>${html}</p>\n`, links: [], mentions: [] };
}

/** How deep the elements of a line stand in each other, and how many characters its links' addresses and titles have. */
function measureInline(children: readonly Token[]): { depth: number; addresses: number } {
  let level = 0;
  let depth = 0;
  let addresses = 0;
  for (const token of children) {
    level += token.nesting;
    if (level > depth) depth = level;
    if (token.type === 'link_open') for (const [, value] of token.attrs ?? []) addresses += String(value).length;
  }
  return { depth, addresses };
}

interface Visit {
  readonly emoji: ReadonlyMap<string, string>;
  readonly places: Places;
  readonly links: RenderedLink[];
  readonly mentions: RenderedMention[];
  readonly listMax: number;
}

function visitInline(children: readonly Token[], visit: Visit): Token[] {
  const { places, links, listMax } = visit;
  const result: Token[] = [];
  let open: { url: string; text: string; written: boolean } | undefined;
  for (const token of children) {
    // A link to nowhere, `[text]()`, would open the page itself: only its text stays. Links hold no links, so its end is the one without a beginning.
    if (token.type === 'link_open' && !token.attrGet('href')) continue;
    if (token.type === 'link_close' && !open) continue;
    if (token.type === 'link_open')
      open = {
        url: String(token.attrGet('href') ?? ''),
        text: '',
        written: token.info === 'auto' || token.markup === 'linkify',
      };
    else if (token.type === 'link_close' && open) {
      const { start, end } = open.written ? places.find(open.text) : places.findLink(open.text);
      if (links.length < listMax) links.push({ url: open.url, text: open.text, start, end });
      open = undefined;
    } else if (open) open.text += token.content;
    if (token.type === 'text') result.push(...visitText(token, visit, open !== undefined));
    else {
      if (token.type === 'code_inline') places.find(token.content);
      result.push(token);
    }
  }
  return result;
}

/** Short codes become emoji; mentions outside of links get an element of their own. */
function visitText(token: Token, { emoji, places, mentions, listMax }: Visit, inLink: boolean): Token[] {
  const content = token.content.replace(directionOverrides, '');
  const withEmoji = (text: string) =>
    emoji.size === 0 ? text : text.replace(shortCode, (whole, name: string) => emoji.get(name) ?? whole);
  if (inLink || !content.includes('@')) {
    token.content = withEmoji(content);
    return [token];
  }
  const result: Token[] = [];
  const make = (type: string, text: string): void => {
    const made = new (token.constructor as new (type: string, tag: string, nesting: 0) => Token)(type, '', 0);
    made.content = text;
    result.push(made);
  };
  let from = 0;
  for (const found of content.matchAll(mention)) {
    // A full stop or a dash at the end belongs to the sentence.
    const name = found[1]!.replace(/[.-]+$/, '');
    if (name.length < 2) continue;
    make('text', withEmoji(content.slice(from, found.index)));
    make('mention', name);
    from = found.index + 1 + name.length;
    if (mentions.length < listMax) mentions.push({ name, ...places.find(`@${name}`) });
  }
  make('text', withEmoji(content.slice(from)));
  return result;
}

markdown.renderer.rules.mention = (tokens, index) => {
  const name = escapeHtml(tokens[index]!.content);
  return `<span class="mention" data-username="${name}">@${name}</span>`;
};

markdown.renderer.rules.task_box = (tokens, index) =>
  `<input${tokens[index]!.attrs!.map(([name, value]) => ` ${name}="${value}"`).join('')}>`;

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (each) => escapes[each]!);
}

/**
 * Where in the original text something stands. Tokens come in the order of the text, so each search begins where the last one
 * ended; a block begins at its line.
 */
class Places {
  readonly #text: string;
  readonly #lines: number[] = [0];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    for (let index = text.indexOf('\n'); index !== -1; index = text.indexOf('\n', index + 1))
      this.#lines.push(index + 1);
  }

  enter(line: number): void {
    this.#at = Math.max(this.#at, this.#lines[line] ?? 0);
  }

  find(written: string): { start: number; end: number } {
    const start = written === '' ? -1 : this.#text.indexOf(written, this.#at);
    if (start === -1) return { start: this.#at, end: this.#at };
    this.#at = start + written.length;
    return { start, end: this.#at };
  }

  /** `[text](address)` as a whole, as far as its brackets are plain. */
  findLink(text: string): { start: number; end: number } {
    const open = this.#text.indexOf('[', this.#at);
    if (open === -1) return this.find(text);
    const close = this.#text.indexOf('](', open);
    const end = close === -1 ? this.#text.indexOf(']', open) + 1 : this.#text.indexOf(')', close) + 1;
    if (end <= open) return this.find(text);
    this.#at = end;
    return { start: open, end };
  }
}
