/**
 * How Parley's Markdown stands beside the examples of CommonMark 0.31.2 and of GFM: the parser alone, and what `render` shows,
 * where the chat's policy is taken into account and named for each example that it changes.
 */
import { createMarkdown } from '../../src/transform/markdown.ts';
import { render } from '../../src/transform/render.ts';
import { readJson } from './shipped.ts';

export interface MarkupExample {
  readonly example: number;
  readonly section: string;
  readonly extensions: readonly string[];
  readonly markdown: string;
  readonly html: string;
}

export type MarkupFile = 'commonmark-0.31.2' | 'gfm-0.29' | 'gfm-extensions';

export const examplesOf = (file: MarkupFile): readonly MarkupExample[] =>
  readJson<readonly MarkupExample[]>(`markup/${file}.json`)
    // cmark's own mark for "must not crash".
    .filter(({ html }) => html !== '<IGNORE>\n')
    // The second file of GFM's is run with all extensions on.
    .map((each) => (file === 'gfm-extensions' ? { ...each, extensions: ['autolink'] } : each));

/** An empty quote: the examples put a line's end into it, markdown-it's renderer does not. */
const withLine = (html: string): string => html.replace('<blockquote></blockquote>', '<blockquote>\n</blockquote>');

const withBareLinks = createMarkdown({ isAllowedUrl: () => true });
const withoutBareLinks = createMarkdown({ isAllowedUrl: () => true }).disable('linkify');

/** As the examples are meant: bare links are on where an example names that extension. */
export function parserAgrees({ markdown, html, extensions }: MarkupExample): boolean {
  const parser = extensions.includes('autolink') ? withBareLinks : withoutBareLinks;
  return withLine(parser.render(markdown)) === html;
}

const ownMarks = ' target="_blank" rel="noopener noreferrer nofollow ugc"';
const attribute = (tag: string, name: string): string | undefined => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];

/** An image as the link that stands for it; within a link only its description. */
function imagesAsLinks(html: string): string {
  return html.replace(/<img [^>]*>/g, (tag, at: number) => {
    const before = html.slice(0, at);
    const description = attribute(tag, 'alt') ?? '';
    const source = attribute(tag, 'src') ?? '';
    const title = attribute(tag, 'title');
    if (before.lastIndexOf('<a ') > before.lastIndexOf('</a>')) return description;
    return `<a href="${source}"${title === undefined ? '' : ` title="${title}"`}>${description || source}</a>`;
  });
}

const withoutEmptyLinks = (html: string): string => html.replace(/<a href="">(.*?)<\/a>/g, '$1');
const unescaped = (html: string): string =>
  html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
/** Links that show nothing but where they lead, as that text. */
const withoutBare = (html: string): string =>
  html.replace(/<a href="([^"]*)">(.*?)<\/a>/g, (whole, url: string, text: string) =>
    ['', 'http://', 'mailto:'].some((scheme) => decodeURI(url) === scheme + text) ? text : whole,
  );

/** What of the chat's policy makes `render` differ; undefined when nothing known does. */
export type Difference =
  | 'none'
  | 'raw HTML is shown as text'
  | 'an image is a link'
  | 'a link to nowhere is its text'
  | 'bare links are always on'
  | 'a mention is marked'
  | 'a scheme is refused';

export function differenceOf({ markdown, html }: MarkupExample): Difference | undefined {
  const shown = render(markdown).html.replaceAll(ownMarks, '');
  if (shown === html) return 'none';
  const steps: readonly (readonly [Difference, (html: string) => string])[] = [
    ['raw HTML is shown as text', unescaped],
    ['an image is a link', (each) => unescaped(imagesAsLinks(each))],
    ['a link to nowhere is its text', (each) => unescaped(withoutEmptyLinks(each))],
    ['bare links are always on', (each) => unescaped(withoutBare(each))],
    ['a mention is marked', (each) => unescaped(each.replace(/<span class="mention"[^>]*>(.*?)<\/span>/g, '$1'))],
  ];
  const found = steps.find(([, step]) => step(shown) === step(html))?.[0];
  if (found) return found;
  const refused = [...html.matchAll(/<a href="([^"]*)"/g)].some(([, url]) =>
    /^(?!https?:|mailto:)[^/?#]*:/i.test(url!),
  );
  return refused ? 'a scheme is refused' : undefined;
}
