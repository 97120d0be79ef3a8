/** What a rendered text may consist of, as a browser's parser sees it: the tree is looked at, not the characters. */
import { type DefaultTreeAdapterTypes, parseFragment } from 'parse5';

const attributesOf: Readonly<Record<string, readonly string[]>> = {
  a: ['href', 'title', 'target', 'rel'],
  code: ['class'],
  span: ['class', 'data-username'],
  ol: ['start'],
  th: ['align'],
  td: ['align'],
  input: ['type', 'checked', 'disabled'],
};
const bare = 'p em strong del pre code blockquote ul ol li h1 h2 h3 h4 h5 h6 hr br table thead tbody tr th td'.split(
  ' ',
);
const elements = new Set([...bare, ...Object.keys(attributesOf)]);

export interface LiveFinds {
  /** Elements and attributes beyond those that rendering knows, event handlers among them. */
  readonly foreign: readonly string[];
  /** Addresses with another scheme than http, https and mailto, `data:` and `javascript:` among them. */
  readonly schemes: readonly string[];
  readonly styles: readonly string[];
  /** Links without the marks of a stranger's. */
  readonly unmarked: readonly string[];
  /** Levels of the tree. */
  readonly depth: number;
}

export function findLive(html: string): LiveFinds {
  const finds = {
    foreign: [] as string[],
    schemes: [] as string[],
    styles: [] as string[],
    unmarked: [] as string[],
    depth: 0,
  };
  const base = 'https://chat.example/';
  const visit = (node: DefaultTreeAdapterTypes.ChildNode, depth: number): void => {
    if (depth > finds.depth) finds.depth = depth;
    if (!('tagName' in node)) {
      if (node.nodeName !== '#text') finds.foreign.push(node.nodeName);
      return;
    }
    const { tagName, attrs } = node;
    if (!elements.has(tagName) || node.namespaceURI !== 'http://www.w3.org/1999/xhtml') finds.foreign.push(tagName);
    for (const { name, value } of attrs) {
      if (name === 'style') finds.styles.push(value);
      else if (!attributesOf[tagName]?.includes(name)) finds.foreign.push(`${tagName} ${name}`);
      if (name !== 'href') continue;
      const scheme = URL.canParse(value, base) ? new URL(value, base).protocol : 'none';
      if (!/^(?:https?|mailto):$/.test(scheme)) finds.schemes.push(value);
    }
    const rel = attrs.find(({ name }) => name === 'rel')?.value;
    if (tagName === 'a' && rel !== 'noopener noreferrer nofollow ugc') finds.unmarked.push(rel ?? '');
    for (const child of node.childNodes) visit(child, depth + 1);
  };
  for (const node of parseFragment(html).childNodes) visit(node, 1);
  return finds;
}
