/** Parley's rendering beside other libraries, each configured to be safe: texts per second on this thread, by CPU time. */
import { existsSync } from 'node:fs';
import createMarkdownIt from 'markdown-it';
import { markedLines } from '../scripts/evaluate/render-speed-suite.ts';
import { rows } from '../scripts/evaluate/shipped.ts';
import { render } from '../src/transform/render.ts';
import type { Row } from './measure.ts';

type Render = (text: string) => unknown;

async function peers(): Promise<readonly (readonly [string, Render])[]> {
  const markdownIt = createMarkdownIt({ html: false, linkify: true });
  const own = ['markdown-it, no HTML, links found', (text: string) => markdownIt.render(text)] as const;
  if (!existsSync(new URL('./node_modules/commonmark', import.meta.url))) return [own];
  // Not literals: these packages are not among the project's types.
  const [commonmarkName, markedName, sanitizeName] = ['commonmark', 'marked', 'sanitize-html'] as const;
  const { Parser, HtmlRenderer } = await import(commonmarkName as string);
  const { marked } = await import(markedName as string);
  const { default: sanitize } = await import(sanitizeName as string);
  const parser = new Parser();
  const writer = new HtmlRenderer({ safe: true });
  return [
    own,
    ['commonmark.js, safe', (text) => writer.render(parser.parse(text))],
    ['marked with sanitize-html', (text) => sanitize(marked.parse(text))],
  ];
}

function rateOf(texts: readonly string[], each: Render): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const before = process.threadCpuUsage();
    for (const text of texts) each(text);
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return texts.length / best;
}

export async function renderBesidePeers(): Promise<Row[]> {
  const lines = rows('ham/irc-ubuntu.dev.jsonl.gz')
    .slice(0, 2000)
    .map(({ text }) => text);
  const others = await peers();
  return (
    [
      ['chat lines', lines],
      ['chat lines full of Markdown', markedLines(lines)],
    ] as const
  ).flatMap(([name, texts]) => {
    const own = rateOf(texts, (text) => render(text));
    return [
      { what: `Parley, ${name}`, rate: own, ratio: 1 },
      ...others.map(([what, each]) => {
        const rate = rateOf(texts, each);
        return { what: `${what}, ${name}`, rate, ratio: rate / own };
      }),
    ];
  });
}
