import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createNormaliser } from './normalise.ts';

const lookalikes = new URL('../../../data/moderation/artefacts/lookalikes.json', import.meta.url);
const normalise = createNormaliser(JSON.parse(readFileSync(lookalikes, 'utf8')));

test.each([
  ['lower case', 'HeLLo', 'hello'],
  ['named entities of accents', 'h&eacute;ll&ouml;', 'hello'],
  ['entities that nobody sees', 'h&shy;e&zwnj;llo', 'hello'],
  ['escaped entities', '&amp;#104;ello', 'hello'],
  ['entities of spaces', 'a&nbsp;b', 'a b'],
  ['zeros before a number', '&#0104;ello', 'hello'],
])('%s fold to what a reader sees', (_, text, folded) => {
  expect(normalise(text).folded).toBe(folded);
});

test.each([['&#xd800;'], ['&#1114112;'], ['%'], ['&'], ['100% & more'], ['&unknown;']])('%s stays as it is', (text) => {
  expect(normalise(text).folded).toBe(text);
});

test('each folded unit has its offsets, also after ligatures and lone surrogates', () => {
  const text = `${'ﷺ'.repeat(50)}${'æ'.repeat(50)}\ud800 plain ${'x'.repeat(300)}`;
  const { folded, starts, ends } = normalise(text);
  expect(starts).toHaveLength(folded.length);
  expect(ends).toHaveLength(folded.length);
  for (let at = 0; at < folded.length; at++) {
    expect(ends[at]!).toBeGreaterThan(starts[at]!);
    expect(ends[at]!).toBeLessThanOrEqual(text.length);
    if (at > 0) expect(starts[at]!).toBeGreaterThanOrEqual(starts[at - 1]!);
  }
  expect(folded.endsWith('x'.repeat(300))).toBe(true);
  expect(folded.length).toBeLessThanOrEqual(text.length * 4);
});

test('plain texts that are normalised one after the other do not change each other’s results', () => {
  const first = normalise('Short one');
  normalise('x'.repeat(9000));
  expect([first.folded, ...first.starts]).toEqual(['short one', 0, 1, 2, 3, 4, 5, 6, 7, 8]);
});
