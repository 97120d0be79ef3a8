/** Markdown beside the examples of its two specifications, and bare links beside linkify-it's own. */
import { render } from '../../src/transform/render.ts';
import { differenceOf, examplesOf, type MarkupFile, parserAgrees } from './markup-conformance.ts';
import { readJson } from './shipped.ts';
import { count, type Row, type Suite } from './suite.ts';

interface LinkExample {
  readonly text: string;
  readonly link: string | null;
}

function conformance(name: string, file: MarkupFile, least: number, unexplained: number): Row {
  const examples = examplesOf(file);
  const differences = examples.map(differenceOf);
  return {
    name,
    figures: {
      examples: count(examples.length),
      'the parser agrees': count(examples.filter(parserAgrees).length, { least }),
      'shown alike': count(differences.filter((each) => each === 'none').length),
      'changed by policy': count(differences.filter((each) => each !== undefined && each !== 'none').length),
      unexplained: count(differences.filter((each) => each === undefined).length, { most: unexplained }),
    },
  };
}

export const markupSuite: Suite = {
  name: 'markup',
  title: 'CommonMark, GFM and bare links: examples of the specifications',
  quick: true,
  run: () => {
    const links = readJson<readonly LinkExample[]>('markup/linkify-fixtures.json');
    const alike = links.filter(({ text, link }) => (render(text).links[0]?.text ?? null) === link).length;
    return [
      conformance('CommonMark 0.31.2', 'commonmark-0.31.2', 652, 0),
      // Two examples of the older base hold comments that CommonMark 0.31 reads otherwise; one shows all raw HTML but nine elements.
      conformance('GFM 0.29', 'gfm-0.29', 668, 0),
      // Hosts in punycode, and footnotes, which are no part of GFM's specification.
      conformance('GFM, more on its extensions', 'gfm-extensions', 24, 2),
      { name: 'linkify-it', figures: { examples: count(links.length), 'shown alike': count(alike, { least: 147 }) } },
    ];
  },
};
