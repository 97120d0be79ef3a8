/**
 * Addresses that are written without any markup: found by linkify-it, with the ends that GFM §6.9 gives them, which is where
 * readers expect them. Hosts without a scheme count only with a usual ending, so that `readme.md` stays text.
 */
import { LinkifyIt, type Match } from 'linkify-it';
import type { MarkdownIt, StateCore, StateInline, Token } from 'markdown-it';

/**
 * Endings of host names that make a link without a scheme: those of countries and the best known others, without those that
 * are far more often endings of file names (md, rs, py, sh, so, ps, mk, ml, st, tf, cc).
 */
const bareEndings = [
  'com net org edu gov mil int info biz name pro coop museum aero asia web xxx xyz online site website shop store top club live',
  'news blog cloud tech app dev chat page link social space world today email agency media studio design games wiki рф бел укр',
  'ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cd cf cg ch ci ck',
  'cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq',
  'gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk',
  'lr ls lt lu lv ly ma mc me mg mh mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg',
  'ph pk pl pn pr pt pw qa re ro ru rw sa sb sc sd se sg si sk sl sm sn sr ss sv sx sy sz tc td tg th tj tk tl tm tn to tr tt',
  'tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw',
]
  .join(' ')
  .split(' ');

/** Characters of a bare address; a longer one is linked up to here. */
const addressMax = 4096;
const linkify = new LinkifyIt({
  fuzzyLink: true,
  fuzzyEmail: true,
  fuzzyIP: true,
  urlAuth: true,
  maxLength: addressMax,
}).tlds(bareEndings);
// `//host` leads to another host without saying how.
linkify.add('//', null);
// GFM §6.9: `www.` begins an address whatever its ending is.
linkify.add('www.', {
  validate: (text, pos, self) => {
    // The middle of a host begins none: to try each part of `www.www.www…` would take its time for each. Nor does a mention.
    if (text[pos - 5] === '.' || text[pos - 5] === '@') return 0;
    wwwRest ??= new RegExp(`${self.re.get_url_host_port().source}${self.re.get_path().source}`, 'iy');
    wwwRest.lastIndex = pos;
    return wwwRest.exec(text)?.[0].length ?? 0;
  },
  normalize: (match) => {
    match.url = `http://${match.url}`;
  },
});
let wwwRest: RegExp | undefined;

/** Bare links of one text; more stay text. */
const bareLinksMax = 500;
/** Without one of these there is none: cheaper than to look for them all. */
const possible = /:\/\/|[^\s]@[^\s]|[^\s.]\.[^\s.]/;

export function addBareLinks(markdown: MarkdownIt): void {
  markdown.inline.ruler.at('linkify', (state, silent) => readScheme(markdown, state, silent));
  markdown.inline.ruler.enable('linkify');
  markdown.core.ruler.at('linkify', (state) => findInTokens(markdown, state));
  markdown.core.ruler.enable('linkify');
}

/** Where a found address ends: without what belongs to the sentence around it. */
function endOf(text: string, { index, lastIndex, schema }: Match): number {
  let end = lastIndex;
  // GFM reads on behind a closing parenthesis that has no partner, as long as the address does not end with it.
  if (/^www\./i.test(text.slice(index, index + 4)) && text[end] === ')') {
    const rest = /^\)+[\w+&=%/#?-]+/.exec(text.slice(end, end + 200))?.[0];
    if (rest !== undefined) end += rest.length;
  }
  const entity = /&[a-z0-9]{1,31}$/i.exec(text.slice(Math.max(index, end - 33), end))?.[0];
  if (entity !== undefined && text[end] === ';') end -= entity.length;
  if (schema !== 'mailto:') while (end > index && '?!.,:*_~'.includes(text[end - 1]!)) end--;
  return end;
}

export interface BareLink {
  readonly start: number;
  readonly end: number;
  readonly url: string;
}

/** In plain text, in its order; at most `bareLinksMax`. Whether they may be linked to is not looked at. */
export function findBareLinks(text: string): BareLink[] {
  if (!possible.test(text)) return [];
  const found: BareLink[] = [];
  for (const match of linkify.match(text) ?? []) {
    // Our own bound on hosts of mail addresses: letters, digits, dots and dashes.
    if (match.schema === 'mailto:' && match.text.lastIndexOf('+') > match.text.lastIndexOf('@')) continue;
    const start = match.index;
    const end = endOf(text, match);
    const written = text.slice(start, end);
    const url = end === match.lastIndex ? match.url : /^(?:www\.)?$/.test(match.schema) ? `http://${written}` : written;
    found.push({ start, end, url });
    if (found.length >= bareLinksMax) break;
  }
  return found;
}

function isSchemeCharacter(code: number): boolean {
  return (code > 0x60 && code < 0x7b) || (code > 0x40 && code < 0x5b);
}

/**
 * Runs before emphasis, so that `_` and `*` in an address are no marks. An address that may not be linked to is passed over as
 * text in one go: to look at each of its parts again would take quadratic time.
 */
function readScheme(markdown: MarkdownIt, state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (state.linkLevel > 0 || src.charCodeAt(pos) !== 0x3a || !src.startsWith('://', pos)) return false;
  let start = pos;
  while (start > pos - state.pending.length && start > pos - 5 && isSchemeCharacter(src.charCodeAt(start - 1))) start--;
  const match = linkify.matchAtStart(src.slice(start));
  if (match?.index !== 0) return false;
  const end = start + endOf(src.slice(start), match);
  if (end <= pos + 3) return false;
  if (!silent) {
    state.pending = state.pending.slice(0, state.pending.length - (pos - start));
    const written = src.slice(start, end);
    const href = markdown.normalizeLink(written);
    if (markdown.validateLink(href)) pushLink(state, href, markdown.normalizeLinkText(written));
    else state.pending += written;
  }
  state.pos = end;
  return true;
}

function pushLink(state: StateInline, href: string, text: string): void {
  const open = state.push('link_open', 'a', 1);
  open.attrs = [['href', href]];
  open.markup = 'linkify';
  open.info = 'auto';
  state.push('text', '', 0).content = text;
  const close = state.push('link_close', 'a', -1);
  close.markup = 'linkify';
  close.info = 'auto';
}

/** Everything that has no scheme, or stands where the inline rule does not look. */
function findInTokens(markdown: MarkdownIt, state: StateCore): void {
  let left = bareLinksMax;
  for (const block of state.tokens) {
    if (block.type !== 'inline' || !block.children || !possible.test(block.content)) continue;
    let changed = false;
    let depth = 0;
    const next: Token[] = [];
    for (const token of block.children) {
      if (token.type === 'link_open') depth++;
      else if (token.type === 'link_close') depth--;
      const looks = token.type === 'text' && depth === 0 && left > 0;
      let links = looks ? findBareLinks(token.content) : [];
      // Behind an escaped character nothing begins: `\\www.example.org`.
      if (links[0]?.start === 0 && next.at(-1)?.type === 'text_special') links = links.slice(1);
      if (links.length === 0) {
        next.push(token);
        continue;
      }
      changed = true;
      left -= links.length;
      split(markdown, state, token, links, next);
    }
    if (changed) block.children = next;
  }
}

function split(markdown: MarkdownIt, state: StateCore, token: Token, links: readonly BareLink[], next: Token[]): void {
  const text = token.content;
  const push = (type: string, tag: string, nesting: -1 | 0 | 1, content: string): Token => {
    const made = new state.Token(type, tag, nesting);
    made.content = content;
    made.level = token.level;
    next.push(made);
    return made;
  };
  let from = 0;
  for (const { start, end, url } of links) {
    const href = markdown.normalizeLink(url);
    if (!markdown.validateLink(href)) continue;
    if (start > from) push('text', '', 0, text.slice(from, start));
    const open = push('link_open', 'a', 1, '');
    open.attrs = [['href', href]];
    open.markup = 'linkify';
    open.info = 'auto';
    push('text', '', 0, text.slice(start, end));
    const close = push('link_close', 'a', -1, '');
    close.markup = 'linkify';
    close.info = 'auto';
    from = end;
  }
  if (from < text.length) push('text', '', 0, text.slice(from));
}
