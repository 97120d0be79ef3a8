/** GFM §6.5 as GitHub reads it: one or two tildes on either side, as many at the end as at the beginning, never three. */
import type { Delimiter, MarkdownIt, StateInline } from 'markdown-it';

const tilde = 0x7e;
/** Delimiters are paired by this number: one tilde must not close two. No character has these. */
const markers = [0x11_0001, 0x11_0002] as const;

export function addStrikethrough(markdown: MarkdownIt): void {
  markdown.inline.ruler.before('emphasis', 'tildes', tokenize);
  markdown.inline.ruler2.before('emphasis', 'tildes', (state) => {
    mark(state, state.delimiters);
    for (const meta of state.tokens_meta) if (meta?.delimiters) mark(state, meta.delimiters);
    return false;
  });
}

function tokenize(state: StateInline, silent: boolean): boolean {
  if (silent || state.src.charCodeAt(state.pos) !== tilde) return false;
  const { length, can_open: open, can_close: close } = state.scanDelims(state.pos, true);
  const token = state.push('text', '', 0);
  token.content = state.src.slice(state.pos, state.pos + length);
  const marker = markers[length - 1];
  if (marker !== undefined)
    state.delimiters.push({ marker, length: 0, token: state.tokens.length - 1, end: -1, open, close });
  state.pos += length;
  return true;
}

function mark(state: StateInline, delimiters: readonly Delimiter[]): void {
  for (const { marker, end, token } of delimiters) {
    if (end === -1 || (marker !== markers[0] && marker !== markers[1])) continue;
    for (const [at, type, nesting] of [
      [token, 's_open', 1],
      [delimiters[end]!.token, 's_close', -1],
    ] as const)
      Object.assign(state.tokens[at]!, { type, tag: 'del', nesting, markup: '~~', content: '' });
  }
}
