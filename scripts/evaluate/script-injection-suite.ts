/** Known attacks by script: what of them is alive in the tree that a browser makes of the rendered text. */
import { render } from '../../src/transform/render.ts';
import { findLive } from './live-html.ts';
import { rows } from './shipped.ts';
import { count, type Row, type Suite } from './suite.ts';

export interface Attack {
  readonly text: string;
  readonly source: string;
}

/** Every attack as it is, and in the places of Markdown where its characters mean something else. */
export function attackTexts(): string[] {
  return rows<Attack>('markup/xss.dev.jsonl').flatMap(({ text }) => [
    text,
    `**${text}**`,
    `[x](${text})`,
    `[x](<${text}>)`,
    `![${text}](${text} "${text}")`,
    `[x]: ${text}\n\n[x]`,
    `<${text}>`,
    `\`\`\`${text}\n${text}\n\`\`\``,
    `| ${text} |\n| --- |\n| ${text} |`,
    `https://example.org/${text}`,
    `@ana${text} :${text}:`,
  ]);
}

export const scriptInjectionSuite: Suite = {
  name: 'script-injection',
  title: 'Known script attacks, each at eleven places of a text: survivors in the rendered HTML',
  quick: true,
  run: () => {
    const texts = attackTexts();
    const found = texts.map((text) => findLive(render(text).html));
    const sum = (pick: (each: (typeof found)[number]) => number) =>
      found.reduce((total, each) => total + pick(each), 0);
    const row: Row = {
      name: 'all sources',
      figures: {
        texts: count(texts.length),
        'foreign elements and attributes': count(
          sum(({ foreign }) => foreign.length),
          { most: 0 },
        ),
        'odd schemes': count(
          sum(({ schemes }) => schemes.length),
          { most: 0 },
        ),
        styles: count(
          sum(({ styles }) => styles.length),
          { most: 0 },
        ),
        'unmarked links': count(
          sum(({ unmarked }) => unmarked.length),
          { most: 0 },
        ),
      },
    };
    return [row];
  },
};
