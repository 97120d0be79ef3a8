/**
 * Writes HTML from tokens. This is the allow-list: it writes only the elements and attributes that are named here, whatever the
 * parser returns. Raw HTML is shown as text. An image becomes a link, because loading it would tell its host who reads. Every
 * link is marked as untrusted. Collects links and mentions.
 */
import type { Token } from 'markdown-it';
import { escapeHtml } from './escape-html.ts';
import { isSafeUrl } from './safe-url.ts';
import { type TextWriter, withoutOverrides } from './text-writer.ts';

interface Element {
  readonly tag: string;
  /** A block, on lines of its own. */
  readonly block: boolean;
}

const blocks: Readonly<Record<string, string>> = {
  paragraph: 'p',
  blockquote: 'blockquote',
  bullet_list: 'ul',
  ordered_list: 'ol',
  list_item: 'li',
  table: 'table',
  thead: 'thead',
  tbody: 'tbody',
  tr: 'tr',
  th: 'th',
  td: 'td',
};
const inlines: Readonly<Record<string, string>> = { em: 'em', strong: 'strong', s: 'del' };
/** Elements by the type of their tokens. */
const elements = new Map<string, Element>(
  [
    ...Object.entries(blocks).map(([name, tag]) => [name, { tag, block: true }] as const),
    ...Object.entries(inlines).map(([name, tag]) => [name, { tag, block: false }] as const),
  ].flatMap(([name, element]) => [
    [`${name}_open`, element],
    [`${name}_close`, element],
  ]),
);
const headings = new Set(['h1', 'h2', 'h3', 'h4', 'h5', 'h6']);
const alignments = new Set(['left', 'right', 'center']);
/** Attributes of untrusted links: no opener, no referrer, no weight for search engines. */
const linkMarks = ' target="_blank" rel="noopener noreferrer nofollow ugc"';
const languageMax = 64;

/**
 * @param writer writes text that is neither markup nor code, and collects links and mentions
 * @param resolve resolves backslashes and entities, which Markdown also allows in the name of a code language
 */
export function writeHtml(tokens: readonly Token[], writer: TextWriter, resolve: (text: string) => string): string {
  let html = '';
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token.map) writer.places.enter(token.map[0]);
    if (token.type === 'inline') html += writeInline(token.children ?? [], writer);
    else if (token.type === 'html_block') html += writer.write(token.content);
    else if (token.type === 'fence' || token.type === 'code_block') html += writeCode(token, resolve);
    else if (token.type === 'hr') html += '<hr />\n';
    else if (!token.hidden) html += writeBlockTag(tokens, at);
    // A paragraph in a tight list has no tag; the next block begins on a new line.
    else if (token.nesting === -1 && startsLine(tokens[at + 1])) html += '\n';
  }
  return html;
}

function startsLine(next: Token | undefined): boolean {
  return next !== undefined && next.nesting !== -1;
}

function elementOf({ type, tag }: Token): Element | undefined {
  if (type === 'heading_open' || type === 'heading_close') return headings.has(tag) ? { tag, block: true } : undefined;
  return elements.get(type);
}

function writeBlockTag(tokens: readonly Token[], at: number): string {
  const token = tokens[at]!;
  const element = elementOf(token);
  if (!element?.block) return '';
  if (token.nesting === -1) return `</${element.tag}>\n`;
  const next = tokens[at + 1];
  const sameLine =
    next?.type === 'inline' ||
    next?.hidden ||
    (next?.nesting === -1 && next.tag === token.tag && token.type !== 'blockquote_open');
  return `<${element.tag}${blockAttributes(token)}>${sameLine ? '' : '\n'}`;
}

function blockAttributes(token: Token): string {
  if (token.type === 'ordered_list_open') {
    const start = Number(token.attrGet('start') ?? 1);
    return Number.isSafeInteger(start) && start !== 1 ? ` start="${start}"` : '';
  }
  if (token.type === 'th_open' || token.type === 'td_open') {
    const align = String(token.attrGet('align') ?? '');
    return alignments.has(align) ? ` align="${align}"` : '';
  }
  return '';
}

/** The first word after a fence is the language. */
function writeCode({ type, info, content }: Token, resolve: (text: string) => string): string {
  const language = type === 'fence' && info !== '' ? (/\S+/.exec(resolve(info))?.[0] ?? '') : '';
  const named = language !== '' && language.length <= languageMax;
  return `<pre><code${named ? ` class="language-${escapeHtml(language)}"` : ''}>${escapeHtml(content)}</code></pre>\n`;
}

function writeInline(children: readonly Token[], writer: TextWriter): string {
  let html = '';
  // Links cannot be nested, so at most one is open. If its address is not allowed, only its text is written and nothing is listed.
  let open: OpenLink | undefined;
  let isJoined = false;
  for (const token of children) {
    const wasBare = open?.bare === true;
    switch (token.type) {
      case 'text':
        if (open) open.text += token.content;
        // The text of a bare address is written unchanged.
        if (open?.bare) html += escapeHtml(withoutOverrides(token.content));
        else html += open ? writer.writeWords(token.content, isJoined) : writer.write(token.content, isJoined);
        break;
      case 'softbreak':
        html += '\n';
        break;
      case 'hardbreak':
        html += '<br />\n';
        break;
      case 'code_inline':
        if (open) open.text += token.content;
        else writer.places.find(token.content);
        html += `<code>${escapeHtml(token.content)}</code>`;
        break;
      case 'html_inline':
        html += escapeHtml(token.content);
        break;
      case 'link_open':
        open = openLink(token, writer);
        if (open) html += openTag(open.url, token);
        break;
      case 'link_close':
        if (open) html += closeLink(open, writer);
        open = undefined;
        break;
      case 'image':
        html += writeImage(token, writer, open !== undefined);
        break;
      case 'task_box':
        html += `<input type="checkbox"${token.attrGet('checked') === null ? '' : ' checked=""'} disabled="" />`;
        break;
      default:
        html += writeInlineTag(token);
    }
    isJoined = token.type === 'code_inline' || (token.type === 'link_close' && wasBare);
  }
  return html;
}

function writeInlineTag(token: Token): string {
  const element = elementOf(token);
  if (!element || element.block) return escapeHtml(token.content);
  return `<${token.nesting === -1 ? '/' : ''}${element.tag}>`;
}

interface OpenLink {
  readonly url: string;
  text: string;
  /** The text of the link is its address, as it was written. */
  readonly bare: boolean;
}

function openLink(token: Token, writer: TextWriter): OpenLink | undefined {
  const url = String(token.attrGet('href') ?? '');
  // A link without an address, `[text]()`, would open the page itself.
  if (!isSafeUrl(url) || !writer.mayLink()) return undefined;
  return { url, text: '', bare: token.info === 'auto' };
}

function openTag(url: string, token: Token): string {
  const title = token.attrGet('title');
  return `<a href="${escapeHtml(url)}"${title === null ? '' : ` title="${escapeHtml(String(title))}"`}${linkMarks}>`;
}

function closeLink({ url, text, bare }: OpenLink, writer: TextWriter): string {
  writer.addLink(url, text, bare ? writer.places.find(text) : writer.places.findLink(text));
  return '</a>';
}

/** Writes a link for an address in plain text. */
export function writeLink(url: string, text: string, writer: TextWriter): string {
  return `<a href="${escapeHtml(url)}"${linkMarks}>${escapeHtml(withoutOverrides(text))}${closeLink({ url, text, bare: true }, writer)}`;
}

function writeImage(token: Token, writer: TextWriter, inLink: boolean): string {
  const url = String(token.attrGet('src') ?? '');
  const description = textOf(token.children ?? []);
  const shown = description.trim() === '' ? url : description;
  if (inLink || !isSafeUrl(url) || !writer.mayLink()) return escapeHtml(shown);
  writer.addLink(url, shown, writer.places.findLink(description));
  return `${openTag(url, token)}${escapeHtml(shown)}</a>`;
}

/** The description of an image without markup. */
function textOf(children: readonly Token[]): string {
  let text = '';
  for (const { type, content, children: inner } of children) {
    if (type === 'image') text += textOf(inner ?? []);
    else if (type === 'softbreak' || type === 'hardbreak') text += '\n';
    else if (type === 'text' || type === 'code_inline') text += content;
  }
  return text;
}
