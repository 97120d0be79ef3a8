/** The web links of a rendered message, as `transform/` writes them. */

const webLink = /<a href="(https?:[^"]*)"/gi;
const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
};

export function hasWebLinks(html: string): boolean {
  return /<a href="https?:/i.test(html);
}

export interface WebLink {
  /** As the message links to it. */
  readonly url: string;
  /** What is requested: the same address without its fragment. */
  readonly target: string;
}

/** As in outbound/target-url.ts. */
const targetLengthMax = 2048;

/**
 * In the order of the message, each target once.
 * @param ownOrigin links to it are left out: a message of Parley is not a page
 */
export function webLinks(
  html: string,
  { max, ownOrigin }: { readonly max: number; readonly ownOrigin: string },
): WebLink[] {
  const found = new Map<string, WebLink>();
  for (const [, escaped = ''] of html.matchAll(webLink)) {
    const url = escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity]!);
    const parsed = URL.parse(url);
    if (!parsed || parsed.origin === ownOrigin) continue;
    parsed.hash = '';
    // Longer ones are never requested, and do not fit into the index of the pages.
    if (parsed.href.length > targetLengthMax) continue;
    if (!found.has(parsed.href)) found.set(parsed.href, { url, target: parsed.href });
    if (found.size === max) break;
  }
  return [...found.values()];
}
