/** Decides which addresses a rendered text may link to. */
import { domainToUnicode } from 'node:url';

/** Characters that make the address look different from what a browser opens, or that browsers drop before they read the scheme. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches the characters to refuse
const deceptive = /[\u0000-\u001f\u007f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
/** Joiners, which some scripts need between their letters. */
const joiners = /(?<=[^\0-\u02ff])[\u200c\u200d]/g;
/** Anything that a browser may read as a scheme: text before a colon without a path, query or fragment before it. */
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

/** A host in invalid punycode, for example with a hidden character, looks like another host than it is. */
function hasReadableHost(url: string): boolean {
  if (!/xn--/i.test(url)) return true;
  const host = /^mailto:/i.test(url) ? (/@([^@?]*)(?:\?|$)/.exec(url)?.[1] ?? '') : new URL(url).hostname;
  const read = domainToUnicode(host);
  return read !== '' && !read.includes('xn--');
}
