/** Which addresses a rendered text may link to, and how such a link is marked. */

const schemes = new Set(['http:', 'https:', 'mailto:']);
/** Characters that make a browser see another address than a reader, or that browsers drop before they look at the scheme. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const deceptive = /[\u0000-\u001f\u007f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

/** @param url absolute; anything without one of the three schemes is refused, `data:` and `javascript:` among it */
export function isSafeUrl(url: string): boolean {
  if (deceptive.test(url) || deceptive.test(tryDecode(url)) || !URL.canParse(url)) return false;
  return schemes.has(new URL(url).protocol) && /^(https?:\/\/|mailto:)/i.test(url);
}

function tryDecode(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

/** A stranger's link: no opener, no referrer, no vote for search engines. */
export const linkAttributes: readonly (readonly [string, string])[] = [
  ['target', '_blank'],
  ['rel', 'noopener noreferrer nofollow ugc'],
];
