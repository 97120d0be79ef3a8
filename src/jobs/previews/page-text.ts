/** Reads what a page says of itself: Open Graph, then Twitter's tags, then its title and description. Only its head counts. */
import { Parser } from 'htmlparser2';
import type { PageText } from '../../chat/previews/link-page-repository.ts';
import { toLine } from '../../http/input/line-text.ts';

export interface PageHead extends PageText {
  /** Absolute; of the page's picture, or of its icon. */
  readonly pictureUrl: string | null;
}

/** Code points. */
const bounds = { title: 300, description: 1000, siteName: 100 };

/** Names of meta tags, the best first. */
const tags = {
  title: ['og:title', 'twitter:title'],
  description: ['og:description', 'twitter:description', 'description'],
  siteName: ['og:site_name', 'application-name'],
  picture: ['og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image', 'twitter:image:src'],
} as const;
const known: ReadonlySet<string> = new Set(Object.values(tags).flat());

/** @param url of the page, after redirects */
export async function readPageHead(text: AsyncIterable<string>, url: string): Promise<PageHead> {
  const head = createHeadReader();
  for await (const piece of text) {
    head.write(piece);
    if (head.isDone()) break;
  }
  return head.found(url);
}

function createHeadReader() {
  const metas = new Map<string, string>();
  let title: string | undefined;
  let inTitle = false;
  let icon: string | undefined;
  let base: string | undefined;
  let done = false;

  const parser = new Parser({
    onopentag: (name, attributes) => {
      if (done) return;
      if (name === 'body') done = true;
      else if (name === 'meta') addMeta(attributes);
      else if (name === 'base') base ??= attributes.href;
      else if (name === 'link' && /\bapple-touch-icon\b/i.test(attributes.rel ?? '')) icon ??= attributes.href;
      else if (name === 'title' && title === undefined) {
        inTitle = true;
        title = '';
      }
    },
    ontext: (text) => {
      if (inTitle && title !== undefined && title.length < 10_000) title += text;
    },
    onclosetag: (name) => {
      if (name === 'title') inTitle = false;
      if (name === 'head') done = true;
    },
  });

  function addMeta(attributes: Readonly<Record<string, string>>): void {
    const name = (attributes.property ?? attributes.name ?? '').trim().toLowerCase();
    const content = attributes.content?.trim();
    if (content && known.has(name) && !metas.has(name)) metas.set(name, content);
  }

  const best = (names: readonly string[]) =>
    names.map((name) => metas.get(name)).find((content) => content !== undefined);

  return {
    write: (piece: string) => parser.write(piece),
    isDone: () => done,
    found: (url: string): PageHead => ({
      title: toText(best(tags.title) ?? title, bounds.title),
      description: toText(best(tags.description), bounds.description),
      siteName: toText(best(tags.siteName), bounds.siteName),
      pictureUrl: toPictureUrl(best(tags.picture) ?? icon, toAbsolute(base ?? '', url) ?? url),
    }),
  };
}

function toText(text: string | undefined, max: number): string | null {
  // Cut first: a page may hold megabytes here, most of it space.
  return text === undefined ? null : (toLine(text.slice(0, 20 * max), max) ?? null);
}

function toAbsolute(address: string, base: string): string | undefined {
  return URL.parse(address, base)?.href;
}

function toPictureUrl(address: string | undefined, base: string): string | null {
  const url = address === undefined ? undefined : toAbsolute(address, base);
  return url && /^https?:/.test(url) ? url : null;
}
