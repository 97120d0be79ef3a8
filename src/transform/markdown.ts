/**
 * Markdown to safe HTML: CommonMark 0.31 with GFM's tables, strikethrough and task lists, by markdown-it, which emits only what
 * it knows. Raw HTML stays text, images become links, schemes are an allow-list, and every link is marked as a
 * stranger's. The output needs no sanitiser behind it; tests feed it to one all the same.
 */
import { LinkifyIt } from 'linkify-it';
import createMarkdownIt, { type MarkdownIt, type Token } from 'markdown-it';
import { isSafeUrl, linkAttributes } from './safe-url.ts';

/** Nested quotes and lists deeper than this are shown as text. */
const nestingMax = 20;
/** A table may fill short rows up to its width, so that two thousand short lines can become eighty thousand cells: beyond this many it is text. */
const tableCellsMax = 2000;
/** Endings of host names that make a link without a scheme. Others, such as file names' (`readme.md`), stay text. */
const bareEndings = [
  ...'com org net edu gov mil int io dev app co info biz xyz online site shop top club live news blog cloud tech store me tv cc ai chat'.split(
    ' ',
  ),
  ...'de uk fr it es nl be ch at se no dk fi pl cz pt gr ie hu ro bg ua ru tr jp cn kr in br mx ar ca au nz za us eu'.split(
    ' ',
  ),
];

export function createMarkdown(): MarkdownIt {
  const markdown = createMarkdownIt('commonmark', { html: false, linkify: true, maxNesting: nestingMax });
  markdown.enable(['table', 'strikethrough', 'linkify']);
  // An image would tell its host who reads: it is shown as a link.
  markdown.disable(['image', 'html_block', 'html_inline']);
  boundTables(markdown);
  markdown.validateLink = isSafeUrl;
  markdown.linkify = new LinkifyIt({ fuzzyLink: true, fuzzyEmail: true }).tlds(bareEndings);
  markdown.renderer.rules.link_open = (tokens, index, options, _env, self) => {
    const token = tokens[index]!;
    for (const [name, value] of linkAttributes) token.attrSet(name, value);
    return self.renderToken(tokens, index, options);
  };
  for (const cell of ['th_open', 'td_open']) {
    // `style` is not on the allow-list; HTML's own attribute says the same.
    markdown.renderer.rules[cell] = (tokens, index, options, _env, self) => {
      const token = tokens[index]!;
      const align = /^text-align:(left|right|center)$/.exec(String(token.attrGet('style') ?? ''))?.[1];
      token.attrs = align ? [['align', align]] : null;
      return self.renderToken(tokens, index, options);
    };
  }
  markdown.core.ruler.after('inline', 'task_lists', ({ tokens }) => markTaskLists(tokens));
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

const box = /^\[([ xX])\](?=\s)/;

/** GFM §5.3: a list item that begins with `[ ]` or `[x]` shows a box that nobody can tick. */
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
      ...(found[1] === ' ' ? [] : [['checked', ''] as [string, string]]),
      ['disabled', ''],
      ['type', 'checkbox'],
    ];
    inline.children!.unshift(tick);
  }
}
