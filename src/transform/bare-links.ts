/**
 * Finds addresses without markup: linkify-it finds them, and they end where GFM §6.9 and readers expect it. Hosts without a scheme
 * count only with a common top-level domain, so that `readme.md` stays text.
 */
import { LinkifyIt, type Match } from 'linkify-it';
import type { MarkdownIt, StateCore, StateInline, Token } from 'markdown-it';

/**
 * Top-level domains that make a host without a scheme a link: those of countries and the best known others, without those that are
 * usually file extensions (md, rs, py, sh, so, ps, mk, ml, st, tf, cc).
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

/** Longest bare address in characters. Of a longer one only this much is linked. */
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
    // No host begins in the middle of another (trying each part of `www.www.www…` would take quadratic time) or in a mention.
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

/** Most bare links of one text; more stay text. */
const bareLinksMax = 500;
/** A text without a match has no bare link. Cheaper than searching for links. */
const possible = /:\/\/|[^\s]@[^\s]|[^\s.]\.[^\s.]/;

export function addBareLinks(markdown: MarkdownIt): void {
  markdown.inline.ruler.at('linkify', (state, silent) => readScheme(markdown, state, silent));
  markdown.inline.ruler.enable('linkify');
  markdown.core.ruler.at('linkify', (state) => findInTokens(markdown, state));
  markdown.core.ruler.enable('linkify');
}

/** The end of a found address, without punctuation of the sentence around it. */
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

// ── Addresses beside scripts without spaces ──

/** East Asian signs that end an address. linkify-it handles those that Unicode calls punctuation. */
const eastAsianSign =
  /[\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffee]/;
const eastAsianSigns = new RegExp(eastAsianSign, 'g');
/** Matches a character of another script than a host's Latin ending, emoji included, and a letter of one. */
const foreign = '(?!\\p{Script=Latin})[^\\0-\\x7f]';
const foreignLetter = '(?!\\p{Script=Latin})\\p{L}';
/** Before a scheme it makes it the end of a longer word, such as `git+https`. */
const partOfWord = /[\p{Script=Latin}\p{Nd}+]/u;
/** A host followed by another script after its Latin ending or port: `example.org谢谢`, `example.org:80谢谢`. */
const hostBefore = new RegExp(
  `(?:[^\\s/?#@:]{1,250}\\.)?[a-z0-9-]{1,63}(?:(?<=\\.[a-z]{2,63})|:\\d{1,5})(?=${foreign})`,
  'iuy',
);
const auth = /(?:[^\s/?#@]{1,50}@)?/y;
const ideographicStops = '。．｡';

/** The end of the host that begins at `host`, if another script follows it; otherwise the end of the text. */
function limitOf(text: string, host: number): number {
  auth.lastIndex = host;
  hostBefore.lastIndex = host + (auth.exec(text)?.[0].length ?? 0);
  const found = hostBefore.exec(text);
  if (!found) return text.length;
  const end = hostBefore.lastIndex;
  // `https://www.münchen.de`: the label goes on, and so does the host.
  const goesOn = /^[^\s/?#:.]{1,63}\.[\p{L}\p{N}]/u.test(text.slice(end, end + 80));
  return goesOn && !/:\d+$/.test(found[0]) ? text.length : end;
}

/** The address whose scheme ends with the colon at `colon` and begins not before `from`. */
function findSchemeLink(text: string, colon: number, from: number): { start: number; end: number } | undefined {
  let start = colon;
  while (start > from && start > colon - 5 && isSchemeCharacter(text.charCodeAt(start - 1))) start--;
  if (start === colon || (start > from && partOfWord.test(text[start - 1]!))) return undefined;
  const own = text.slice(start, limitOf(text, colon + 3));
  const match = linkify.matchAtStart(own);
  if (match?.index !== 0) return undefined;
  const sign = match.text.search(eastAsianSign);
  const lastIndex = sign === -1 ? match.lastIndex : sign;
  // `https://example。org` can be read in two ways, which lead to different hosts.
  const isCutHost = !/[./]/.test(match.text.slice(colon + 3 - start, lastIndex));
  if (isCutHost && ideographicStops.includes(text[start + lastIndex] ?? '-')) return undefined;
  const end = start + endOf(own, { ...match, lastIndex });
  return end > colon + 3 ? { start, end } : undefined;
}

function isSchemeCharacter(code: number): boolean {
  return (code > 0x60 && code < 0x7b) || (code > 0x40 && code < 0x5b);
}

/** Matches what may be a host, without the path after it. */
const names = /[^\s/?#]+/g;
const beforeWww = new RegExp(`${foreign}(?=www\\.)`, 'giu');
const afterEnding = new RegExp(`(?<=\\.[a-z]{2,24})${foreign}`, 'giu');
const twoScripts = new RegExp(`[a-z][^.@]{0,63}${foreignLetter}|${foreignLetter}[^.@]{0,63}[a-z]`, 'iu');
const isAscii = /^\p{ASCII}*$/u;
const schemes = new Set(['http:', 'https:', 'ftp:']);

/** The text with spaces in place of characters of another script that separate words from addresses. Same length. */
function withWordsParted(text: string): string {
  const blank = (found: string): string => ' '.repeat(found.length);
  if (isAscii.test(text)) return text;
  return text
    .replace(eastAsianSigns, ' ')
    .replace(names, (name) => (name.includes('.') ? name.replace(beforeWww, blank).replace(afterEnding, blank) : name));
}

/** Addresses without `://`: hosts with a common ending, `www.`, and email addresses. */
function addSchemeless(
  text: string,
  { from, to }: { from: number; to: number },
  found: BareLink[],
  hrefOf: HrefOf,
): void {
  const part = text.slice(from, to);
  if (!possible.test(part)) return;
  const parted = withWordsParted(part);
  for (const match of linkify.match(parted) ?? []) {
    if (found.length >= bareLinksMax) return;
    if (schemes.has(match.schema)) continue;
    // Hosts of email addresses are restricted to letters, digits, full stops and hyphens.
    if (match.schema === 'mailto:' && match.text.lastIndexOf('+') > match.text.lastIndexOf('@')) continue;
    // Nothing shows where a word in another script ends and a name begins.
    if (match.schema === '' && twoScripts.test(/^[^/?#]*/.exec(match.text)![0])) continue;
    const end = endOf(parted, match);
    const written = part.slice(match.index, end);
    const url = end === match.lastIndex ? match.url : /^(?:www\.)?$/.test(match.schema) ? `http://${written}` : written;
    const href = hrefOf(url);
    if (href !== undefined) found.push({ start: from + match.index, end: from + end, href });
  }
}

export interface BareLink {
  readonly start: number;
  readonly end: number;
  readonly href: string;
}

/** The address to link to; undefined if it is not allowed. */
export type HrefOf = (url: string) => string | undefined;

/** The bare links of a plain text in order, at most `bareLinksMax`. An address that is not allowed is skipped as a whole. */
export function findBareLinks(text: string, hrefOf: HrefOf): BareLink[] {
  if (!possible.test(text)) return [];
  const found: BareLink[] = [];
  let from = 0;
  for (let colon = text.indexOf('://'); colon !== -1 && found.length < bareLinksMax; ) {
    const link = findSchemeLink(text, colon, from);
    if (link) {
      addSchemeless(text, { from, to: link.start }, found, hrefOf);
      if (found.length >= bareLinksMax) return found;
      const href = hrefOf(text.slice(link.start, link.end));
      if (href !== undefined) found.push({ ...link, href });
      from = link.end;
    }
    colon = text.indexOf('://', link ? link.end : colon + 3);
  }
  addSchemeless(text, { from, to: text.length }, found, hrefOf);
  return found;
}

function hrefWith(markdown: MarkdownIt): HrefOf {
  return (url) => {
    const href = markdown.normalizeLink(url);
    return markdown.validateLink(href) ? href : undefined;
  };
}

/**
 * Runs before emphasis, so that `_` and `*` in an address are not markup. An address that is not allowed is skipped as a whole:
 * searching each of its parts would take quadratic time.
 */
function readScheme(markdown: MarkdownIt, state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (state.linkLevel > 0 || src.charCodeAt(pos) !== 0x3a || !src.startsWith('://', pos)) return false;
  const link = findSchemeLink(src, pos, pos - state.pending.length);
  if (!link) return false;
  if (!silent) {
    state.pending = state.pending.slice(0, state.pending.length - (pos - link.start));
    const written = src.slice(link.start, link.end);
    const href = hrefWith(markdown)(written);
    if (href !== undefined) pushLink(state, href, written);
    else {
      state.pending += written;
      // The next address may begin right after it, as in plain text.
      state.pushPending();
    }
  }
  state.pos = link.end;
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

/** Links addresses without a scheme, and addresses where the inline rule does not run. */
function findInTokens(markdown: MarkdownIt, state: StateCore): void {
  let left = bareLinksMax;
  const hrefOf = hrefWith(markdown);
  for (const block of state.tokens) {
    if (block.type !== 'inline' || !block.children || !possible.test(block.content)) continue;
    let changed = false;
    let depth = 0;
    const next: Token[] = [];
    for (const token of block.children) {
      if (token.type === 'link_open') depth++;
      else if (token.type === 'link_close') depth--;
      const looks = token.type === 'text' && depth === 0 && left > 0;
      let links = looks ? findBareLinks(token.content, hrefOf) : [];
      // No address begins after an escaped character: `\\www.example.org`.
      if (links[0]?.start === 0 && next.at(-1)?.type === 'text_special') links = links.slice(1);
      if (links.length === 0) {
        next.push(token);
        continue;
      }
      changed = true;
      left -= links.length;
      split(state, token, links, next);
    }
    if (changed) block.children = next;
  }
}

function split(state: StateCore, token: Token, links: readonly BareLink[], next: Token[]): void {
  const text = token.content;
  const push = (type: string, tag: string, nesting: -1 | 0 | 1, content: string): Token => {
    const made = new state.Token(type, tag, nesting);
    made.content = content;
    made.level = token.level;
    next.push(made);
    return made;
  };
  let from = 0;
  for (const { start, end, href } of links) {
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
