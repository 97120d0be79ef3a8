/**
 * The Markdown parser: CommonMark 0.31 with GFM's tables, strikethrough, task lists and bare links, by markdown-it.
 * `html-writer.ts` decides what of it is shown, `safe-url.ts` which addresses are allowed.
 */
import createMarkdownIt, { type MarkdownIt, type Token } from 'markdown-it';
import { addBareLinks } from './bare-links.ts';
import { addStrikethrough } from './strikethrough.ts';

/** Nested quotes and lists deeper than this are shown as text. */
const nestingMax = 20;
/** Most cells of a table; a larger one is text. Short rows are filled up, so two thousand short lines could become eighty thousand cells. */
const tableCellsMax = 2000;

const plainUrl = /^[A-Za-z0-9\-._~:/?#@!$&'()*+,;=]*$/;

export interface MarkdownOptions {
  /** Decides about a percent-encoded address. A link to an address that is not allowed stays as it was written. */
  readonly isAllowedUrl: (url: string) => boolean;
}

export function createMarkdown({ isAllowedUrl }: MarkdownOptions): MarkdownIt {
  const markdown = createMarkdownIt('commonmark', { linkify: true, maxNesting: nestingMax });
  markdown.validateLink = isAllowedUrl;
  const normalizeLink = markdown.normalizeLink.bind(markdown);
  // Most addresses need no encoding, so parsing them would change nothing.
  markdown.normalizeLink = (url) => (plainUrl.test(url) ? url : normalizeLink(url));
  markdown.enable('table');
  boundTables(markdown);
  addStrikethrough(markdown);
  addBareLinks(markdown);
  markdown.core.ruler.after('inline', 'task_lists', ({ tokens }) => markTaskLists(tokens));
  markdown.core.ruler.push('cells', ({ tokens }) => alignCells(tokens));
  return markdown;
}

function boundTables(markdown: MarkdownIt): void {
  const { ruler } = createMarkdownIt('commonmark').block;
  ruler.enableOnly('table');
  const table = ruler.getRules('')[0]!;
  markdown.block.ruler.at(
    'table',
    (state, startLine, endLine, silent) => {
      if (startLine + 2 > endLine) return false;
      const columns = state.getLines(startLine + 1, startLine + 2, 0, false).split('|').length;
      return columns * (endLine - startLine) <= tableCellsMax && table(state, startLine, endLine, silent);
    },
    { alt: ['paragraph', 'reference'] },
  );
}

/** Replaces `style`, which is not on the allow-list, by the HTML attribute with the same meaning. */
function alignCells(tokens: readonly Token[]): void {
  for (const token of tokens) {
    if (token.type !== 'th_open' && token.type !== 'td_open') continue;
    const align = /^text-align:(left|right|center)$/.exec(String(token.attrGet('style') ?? ''))?.[1];
    token.attrs = align ? [['align', align]] : null;
  }
}

const box = /^\[([ xX])\](?=\s)/;

/** GFM §5.3: a list item that begins with `[ ]` or `[x]` shows a disabled checkbox. */
function markTaskLists(tokens: readonly Token[]): void {
  for (let at = 2; at < tokens.length; at++) {
    const inline = tokens[at]!;
    if (
      inline.type !== 'inline' ||
      tokens[at - 1]!.type !== 'paragraph_open' ||
      tokens[at - 2]!.type !== 'list_item_open'
    )
      continue;
    const first = inline.children?.[0];
    const found = first?.type === 'text' ? box.exec(first.content) : null;
    if (!first || !found) continue;
    first.content = first.content.slice(3);
    const tick = new (inline.constructor as new (type: string, tag: string, nesting: 0) => Token)(
      'task_box',
      'input',
      0,
    );
    tick.attrs = [
      ['type', 'checkbox'],
      ...(found[1] === ' ' ? [] : [['checked', ''] as [string, string]]),
      ['disabled', ''],
    ];
    inline.children!.unshift(tick);
  }
}
