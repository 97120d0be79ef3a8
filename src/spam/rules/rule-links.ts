/** Finds the addresses of a text as link rules see them, by the host that a browser would open. */
import { withoutForeignEnd } from '../links/host-names.ts';

export interface LinkPattern {
  /** As a browser writes it: lower case, punycode, an IP address in full. Includes subdomains. */
  readonly host: string;
  /** Begins with `/`; `/` means every page. */
  readonly path: string;
}

export interface FoundLink {
  readonly url: URL;
  /** UTF-16 units of the original text. */
  readonly start: number;
  readonly end: number;
}

/** Addresses of one text that are checked. */
const linksMax = 500;
/** Text between spaces, brackets and quotes. */
const piece = /[^\s<>()[\]{}"'`|\\^]{4,2048}/g;
/** Dots in a host as browsers read them (UTS #46), plain or escaped. */
const dot = /[.。．｡]|%2e/i;
/** Invisible characters, which browsers drop from a host. */
const hidden = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g;

/** The start of an address right after a word of a script without spaces. */
const beginning = /(?<=(?!\p{Script=Latin})[^\0-\x7f])(?:https?:\/\/|www\.)/iu;

/** @returns undefined if it is neither a host nor a web address */
export function readLinkPattern(pattern: string): LinkPattern | undefined {
  const plain = pattern.trim().replace(/^\*\./, '');
  const url = /\s/.test(plain) ? undefined : readAddress(plain);
  return url && { host: bareHost(url), path: url.pathname };
}

export function matchesLink(url: URL, { host, path }: LinkPattern): boolean {
  const own = bareHost(url);
  if (own !== host && !own.endsWith(`.${host}`)) return false;
  return path === '/' || url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
}

/** Addresses with or without a scheme. Linear in the length of the text. */
export function findRuleLinks(text: string): FoundLink[] {
  const found: FoundLink[] = [];
  for (const { 0: whole, index } of text.matchAll(piece)) {
    if (!dot.test(whole)) continue;
    const from = index + (beginning.exec(whole)?.index ?? 0);
    const start = from + /^[^\p{L}\p{N}]*/u.exec(text.slice(from, index + whole.length))![0].length;
    const end = index + whole.replace(/[^\p{L}\p{N}/]+$/u, '').length;
    const url = start < end ? readAddress(text.slice(start, end).replace(hidden, '')) : undefined;
    if (url) found.push({ url, start, end });
    if (found.length === linksMax) break;
  }
  return found;
}

function readAddress(written: string): URL | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(written);
  // Without a scheme, an @ before the path makes it an email address.
  if (!scheme && /^[^/?#]*@/.test(written)) return undefined;
  const address = scheme ? written : `http://${written}`;
  const shown = withoutForeignHostEnd(address);
  if (!URL.canParse(shown)) return undefined;
  const url = new URL(shown);
  const named = url.hostname.includes('.') || url.hostname.startsWith('[');
  return /^https?:$/.test(url.protocol) && named ? url : undefined;
}

/** An address with a scheme, cut where another script or its punctuation follows the host or port. */
function withoutForeignHostEnd(address: string): string {
  const parts = /^([^/]*\/\/(?:[^/?#@]*@)?)([^/?#:]+)((?::\d+)?)(.*)$/su.exec(address);
  if (!parts) return address;
  const [, before = '', host = '', port = '', rest = ''] = parts;
  const sign = host.search(/[\uff0b\uff1c-\uff1e\uff5e]/);
  const cut = withoutForeignEnd(sign === -1 ? host : host.slice(0, sign));
  if (cut !== host) return before + cut;
  return before + host + port + (/^[^\0-\x7f]/u.test(rest) ? '' : rest);
}

function bareHost({ hostname }: URL): string {
  return hostname.replace(/\.$/, '');
}
