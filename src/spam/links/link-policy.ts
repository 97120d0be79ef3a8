/**
 * Decides about the links of a text.
 * - Blocked: hosts of the deny list in any spelling that a browser or a reader takes for one, look-alikes of protected names, a
 *   user name before the host, schemes other than those of the web, and private addresses disguised in numbers.
 * - Flagged: shorteners, redirectors, protected names misspelled or in other hosts, and a link text that names another host.
 * - A setting decides about private hosts that are written as usual.
 * The deny list comes first. Linear in the length of the text.
 */

import type { Label } from '../text/label.ts';
import type { Normalised } from '../text/normalise.ts';
import { decodePunycode, privacyOf, withoutForeignEnd } from './host-names.ts';

export interface LinkSettings {
  /** Hosts that are blocked, with their subdomains. */
  readonly deny: readonly string[];
  /** Hosts that get no label, with their subdomains. */
  readonly allow: readonly string[];
  /** Protected names, which phishing hosts imitate: `paypal`. */
  readonly brands: readonly string[];
  /** Hosts of link shorteners. */
  readonly shorteners: readonly string[];
  /** The action on hosts of a private network, such as `localhost` or `10.0.0.5`. Absent: none. */
  readonly private?: 'allow' | 'flag' | 'block';
}

export interface LinkFinding {
  readonly action: 'flag' | 'block';
  readonly label: Label;
}

export type LinkPolicy = (normalised: Normalised, text: string) => LinkFinding[];

/** Hosts of one text that are checked. A text with more is flagged. */
const hostsMax = 300;
/** Labels for one text. */
const findingsMax = 50;

/** Matches if the text may hold a host, a scheme or a Markdown link. */
const suspicious = /[\p{L}\p{N}\]]\s?[[(]?\.[\])]?\s?[\p{L}\p{N}]|[:。．｡]|\/\/|\]\(|[\s[(]dot[\s\])]/u;
const dot = '(?:\\.|[。．｡]|\\s{0,2}[[({]\\s?(?:\\.|dot)\\s?[\\])}]\\s{0,2}|\\s{1,2}dot\\s{1,2})';
const hostLike = new RegExp(`(?<![\\p{L}\\p{N}_-])[\\p{L}\\p{N}_-]{1,63}(?:${dot}[\\p{L}\\p{N}_-]{1,63}){1,8}`, 'gu');
const dots = new RegExp(dot, 'gu');
const webLink =
  /(?<![\p{Script=Latin}\p{N}])h(?:tt|xx)ps?:[\\/]{1,3}((?:[^\s\\/?#<>"'@[\]]{0,200}@)*)(\[[0-9a-f:.%]{2,50}\]|[^\s\\/?#<>"'()[\]@:]{1,255})(?::\d{0,5})?([\\/?#][^\s<>"']{0,2000})?/gu;
const markdownLink = /\[([^[\]]{0,500})\]\(\s{0,3}<?([^()\s<>]{1,2000})/gu;
/** Matches in plain text only what is always meant as a link. */
const dangerousScheme =
  /(?<![\p{L}\p{N}])(?:javascript:\S|vbscript:\S|data:[a-z]+\/[a-z]|file:\/\/|blob:http|intent:\/\/|ms-[a-z]+:\S)/gu;
const webScheme = /^(?:https?|mailto|tel|xmpp|matrix|geo|sms):/;
const anyScheme = /^[a-z][a-z0-9+.-]{1,30}:/;

const ownEndings = new Set(['com', 'org', 'net', 'gg', 'dev', 'app', 'io', 'me', 'tv']);
const abusedEndings = new Set(
  'xyz top click link live online site shop club info biz icu vip work fun space website store tk ml ga cf gq win bid loan zip mov gift example test'.split(
    ' ',
  ),
);
/** Hosts on which pages of others carry names as a matter of course. */
const hostings = new Set(
  'js.org github.io gitlab.io readthedocs.io stackexchange.com fandom.com wordpress.com blogspot.com medium.com netlify.app vercel.app pages.dev web.app wikipedia.org'.split(
    ' ',
  ),
);
const redirectors: readonly (readonly [RegExp, RegExp])[] = [
  [/(?:^|\.)google\.[a-z.]{2,6}$/, /^\/(?:url|amp|imgres)\b/],
  [/(?:^|\.)youtube\.com$/, /^\/redirect\b/],
  [/^lm?\.(?:facebook|instagram)\.com$/, /^\//],
  [/^(?:www\.)?(?:href\.li|anonym\.to|slack-redir\.net|t\.umblr\.com|out\.reddit\.com|deref-[a-z-]+\.[a-z]+)$/, /^\//],
  [
    /(?:^|\.)(?:steamcommunity\.com|vk\.com|bing\.com|duckduckgo\.com|linkedin\.com)$/,
    /^\/(?:linkfilter|away|ck|l\/|redir)/,
  ],
];
const redirectPath =
  /^\/(?:[\w/-]{0,40}\/)?(?:redirect|redir|away|out|goto|go|exit|leave|link|url|l)(?:\.php|\.aspx?)?\/?\?/;
const targetParameter =
  /[?&](?:u|url|q|to|dest|destination|goto|target|redirect|redirect_ur[il]|next|link|r)=(?:https?(?::|%3a)|%2f%2f|\/\/)/;

/** @param fold folds a decoded host, as the normaliser does */
export function createLinkPolicy(
  { deny, allow, brands, shorteners, private: privateHosts = 'allow' }: LinkSettings,
  fold: (text: string) => Normalised,
): LinkPolicy {
  const denied = new Set(deny.map((host) => host.toLowerCase()));
  const allowed = new Set(allow.map((host) => host.toLowerCase()));
  const short = new Set(shorteners.map((host) => host.toLowerCase()));
  const names = brands.map((brand) => brand.toLowerCase());

  /** @returns whether the host or a domain above it is in the set */
  function covers(hosts: ReadonlySet<string>, host: string): boolean {
    if (hosts.size === 0) return false;
    for (let at = 0; at >= 0; ) {
      if (hosts.has(host.slice(at))) return true;
      const next = host.indexOf('.', at);
      at = next < 0 ? -1 : next + 1;
    }
    return false;
  }

  /** @param written the host as it is in the text  @param host the same, folded and in lower case */
  function judgeHost(host: string, written: string): readonly ['flag' | 'block', string] | undefined {
    if (covers(denied, host)) return ['block', 'link-denied'];
    if (covers(allowed, host)) return undefined;
    const access = privacyOf(host);
    if (access === 'disguised') return ['block', 'link-private'];
    // A name in one's own network deceives nobody.
    if (access === 'private') return privateHosts === 'allow' ? undefined : [privateHosts, 'link-private'];
    if (isHomograph(host, written)) return ['block', 'link-homograph'];
    if (covers(short, host) && !host.startsWith('www.')) return ['flag', 'link-shortener'];
    return wearsBrand(host) ? ['flag', 'link-brand'] : undefined;
  }

  function hostOf(spelled: string): string {
    const host = withoutForeignEnd(readHost(spelled));
    return /^\p{ASCII}*$/u.test(host) ? host : readHost(fold(host).folded);
  }

  /** Whether letters of other alphabets, or their punycode, spell a protected name. */
  function isHomograph(host: string, written: string): boolean {
    const plain = withoutForeignEnd(written)
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, '');
    if (/^\p{ASCII}*$/u.test(plain)) return false;
    return host.split('.').some((label) => names.includes(label));
  }

  function wearsBrand(host: string): boolean {
    const labels = host.split('.');
    const registered = registeredAt(labels);
    const own = labels[registered]!;
    const ending = labels.slice(registered + 1).join('.');
    for (const name of names) {
      if (own === name) {
        if (abusedEndings.has(ending)) return true;
        continue;
      }
      const before = labels.indexOf(name);
      if (before >= 0 && before < registered) {
        // `paypal.com.evil.example`, or `paypal.evil.example` unless the host carries names as a matter of course.
        if (ownEndings.has(labels[before + 1]!) && before + 1 < registered + 1) return true;
        if (!hostings.has(labels.slice(registered).join('.'))) return true;
      }
      if (labels.some((label) => label.includes('-') && label.split('-').includes(name))) return true;
      if (name.length >= 6 && isMisspelled(own, name)) return true;
    }
    return false;
  }

  /** Finds a host in a Markdown link's text that is not the host of its address. */
  function namesAnother(label: string, target: string): boolean {
    const shown = /^(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[/:?#]|$)/u.exec(label.trim());
    if (!shown) return false;
    const host = /^h(?:tt|xx)ps?:[\\/]{1,3}(?:[^\\/?#]*@)?([^\\/?#:]+)/.exec(target)?.[1];
    if (host === undefined) return false;
    const bare = (name: string): string => name.replace(/^www\./, '').replace(/\.$/, '');
    const [left, right] = [bare(shown[1]!), bare(host)];
    return left !== right && !right.endsWith(`.${left}`) && !left.endsWith(`.${right}`);
  }

  return (normalised, text) => {
    const { folded, starts, ends } = normalised;
    if (!mayHoldLinks(folded)) return [];
    const findings: LinkFinding[] = [];
    const lastEnd = new Map<string, number>();
    let hosts = 0;
    const find = (action: 'flag' | 'block', id: string, from: number, to: number): void => {
      // The host is part of an address that has a label already.
      if (findings.length >= findingsMax || from < (lastEnd.get(id) ?? 0)) return;
      lastEnd.set(id, to);
      const start = starts[from] ?? 0;
      const end = ends[to - 1] ?? text.length;
      findings.push({
        action,
        label: { name: 'link', score: action === 'block' ? 1 : 0.7, start, end, matched: text.slice(start, end), id },
      });
    };
    const writtenAt = (from: number, to: number): string => text.slice(starts[from] ?? 0, ends[to - 1] ?? 0);

    for (let found = firstMatch(webLink, folded, ':'); found; found = webLink.exec(folded)) {
      const [whole, user = '', spelled = '', rest = ''] = found;
      if (++hosts > hostsMax) break;
      const to = found.index + whole.replace(/[).,;:!?\]*]+$/, '').length;
      const hostFrom = folded.indexOf(
        spelled,
        found.index + whole.indexOf(spelled, whole.indexOf(':') + 1 + user.length),
      );
      const host = hostOf(spelled);
      const verdict = judgeHost(host, readable(writtenAt(hostFrom, hostFrom + spelled.length)));
      if (verdict) find(verdict[0], verdict[1], found.index, to);
      // `admin:secret@localhost` is a login; `paypal.com@10.0.0.1` pretends to be another host.
      const isLogin = !user.includes('.') && privacyOf(host) === 'private';
      if (user !== '' && !isLogin) find('block', 'link-userinfo', found.index, to);
      if (!covers(allowed, host) && isRedirect(host, rest)) find('flag', 'link-redirect', found.index, to);
    }
    for (let found = firstMatch(hostLike, folded); found; found = hostLike.exec(folded)) {
      if (++hosts > hostsMax) {
        find('flag', 'link-many', 0, folded.length);
        break;
      }
      const bare = found[0].replace(dots, '.').replace(/^[_-]+/, '');
      const host = hostOf(bare);
      const to = found.index + found[0].length;
      if (covers(denied, host)) find('block', 'link-denied', found.index, to);
      else if (found[0] === bare && (folded[to] === '/' || isPublicEnding(host)) && folded[found.index - 1] !== '@') {
        const verdict = parsesAsNumber(host) ? undefined : judgeHost(host, readable(writtenAt(found.index, to)));
        if (verdict && verdict[1] !== 'link-private') find(verdict[0], verdict[1], found.index, to);
      }
    }
    for (let found = firstMatch(markdownLink, folded, ']('); found; found = markdownLink.exec(folded)) {
      const [whole, label = '', target = ''] = found;
      const to = found.index + whole.length + 1;
      if (anyScheme.test(target) && !webScheme.test(target)) find('block', 'link-scheme', found.index, to);
      else if (namesAnother(label, target)) find('flag', 'link-text', found.index, to);
    }
    for (let found = firstMatch(dangerousScheme, folded, ':'); found; found = dangerousScheme.exec(folded))
      find('block', 'link-scheme', found.index, found.index + found[0].length);
    return findings;
  };
}

/** Most chat lines need no further check. */
function mayHoldLinks(folded: string): boolean {
  if (!/[.:\u3002]|\/\/|dot|\]\(/.test(folded)) return false;
  return suspicious.test(folded);
}

/** @param sign is part of every match, so a text without it is not searched */
function firstMatch(pattern: RegExp, text: string, sign = ''): RegExpExecArray | null {
  pattern.lastIndex = 0;
  return text.includes(sign) ? pattern.exec(text) : null;
}

function parsesAsNumber(host: string): boolean {
  return /^[\d.]+$/.test(host);
}

/** People read a bare name as a link only if it ends in a top-level domain: `vue.js` is a library. */
function isPublicEnding(host: string): boolean {
  const ending = host.slice(host.lastIndexOf('.') + 1);
  return (
    abusedEndings.has(ending) ||
    ['com', 'org', 'net', 'ly', 'gd', 'co', 'me', 'io', 'gg', 'de', 'uk', 'ru'].includes(ending)
  );
}

/** In lower case, with escapes and punycode decoded, without a dot at the end. */
function readHost(spelled: string): string {
  return readable(spelled)
    .toLowerCase()
    .replace(/[。．｡]/g, '.')
    .replace(/\.+$/, '');
}

function readable(host: string): string {
  return host.replace(
    /xn--([a-z0-9-]{1,59})/gi,
    (label, coded: string) => decodePunycode(coded.toLowerCase()) ?? label,
  );
}

/** The place of the registered name among the labels: before the top-level domain, or before `co.uk` and the like. */
function registeredAt(labels: readonly string[]): number {
  const last = labels.length - 1;
  const second = labels[last - 1];
  const compound =
    labels[last]!.length === 2 && second !== undefined && /^(?:com?|org|net|ac|gov|edu|ne|or)$/.test(second);
  return Math.max(0, last - (compound ? 2 : 1));
}

function isRedirect(host: string, rest: string): boolean {
  if (rest === '' || !targetParameter.test(rest)) return false;
  if (redirectPath.test(rest)) return true;
  return redirectors.some(([hosts, path]) => hosts.test(host) && path.test(rest));
}

/** Latin characters that look alike. */
const twins: readonly (readonly [RegExp, string])[] = [
  [/rn/g, 'm'],
  [/vv/g, 'w'],
  [/0/g, 'o'],
  [/[1l|]/g, 'i'],
  [/5/g, 's'],
  [/3/g, 'e'],
  [/4/g, 'a'],
];
/** Words and names that are one letter from a well-known name and are not meant as it. */
const ownWords = new Set('discard discords discordia googly goggle goggles boogle poodle facebooks amazons'.split(' '));

/** Whether a label is one slip from the name: a letter doubled, left out, added, swapped with the next, or a look-alike. */
function isMisspelled(label: string, name: string): boolean {
  if (label === name || ownWords.has(label) || Math.abs(label.length - name.length) > 1) return false;
  const plain = (text: string): string => twins.reduce((read, [sign, letter]) => read.replace(sign, letter), text);
  if (plain(label) === plain(name)) return true;
  let start = 0;
  while (start < label.length && label[start] === name[start]) start++;
  let end = 0;
  while (end < label.length - start && end < name.length - start && label.at(-1 - end) === name.at(-1 - end)) end++;
  const left = label.slice(start, label.length - end);
  const right = name.slice(start, name.length - end);
  // The first letter is hardly ever mistyped: with another first letter it is another name.
  if (start === 0) return false;
  if (left.length + right.length === 1) return true;
  if (left.length === 1 && right.length === 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}
