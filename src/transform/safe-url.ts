/** Which addresses a rendered text may link to. */
import { domainToUnicode } from 'node:url';

/** Characters that make a browser see another address than a reader, or that browsers drop before they look at the scheme. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const deceptive = /[\u0000-\u001f\u007f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
/** Joiners, which some scripts need between their letters. */
const joiners = /(?<=[^\0-\u02ff])[\u200c\u200d]/g;
/** What a browser may take for a scheme: anything before a colon that no path, query or fragment precedes. */
const scheme = /^[^/?#]*:/;

/**
 * @param url percent-encoded. Absolute ones have one of the schemes http, https and mailto. Relative ones lead to the site that
 * shows the text, such as a page of the product around the chat; `//host` is none of them, for it names a host without a scheme.
 */
export function isSafeUrl(url: string): boolean {
  if (url === '' || deceptive.test(url)) return false;
  const decoded = url.includes('%') ? tryDecode(url) : url;
  if (decoded !== url && deceptive.test(decoded.replace(joiners, ''))) return false;
  if (!scheme.test(decoded)) return !/^[/\\]{2}/.test(decoded);
  return /^(?:https?:\/\/[^/?#]|mailto:.)/i.test(url) && URL.canParse(url) && hasReadableHost(url);
}

function tryDecode(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

/** A host in punycode that stands for no host, such as one with a hidden character in it, reads as another than it is. */
function hasReadableHost(url: string): boolean {
  if (!/xn--/i.test(url)) return true;
  const host = /^mailto:/i.test(url) ? (/@([^@?]*)(?:\?|$)/.exec(url)?.[1] ?? '') : new URL(url).hostname;
  const read = domainToUnicode(host);
  return read !== '' && !read.includes('xn--');
}
