/**
 * Measures the whole check on texts made to be slow: shapes of the fuzzer, repeated signs with many readings, repeated listed words, and
 * random units, because an attacker who looks for the worst shape would try those too.
 */
import { createLinkPolicy } from '../../src/spam/links/link-policy.ts';
import type { TermLists } from '../../src/spam/terms/term-lists.ts';
import { fingerprintOf } from '../../src/spam/text/minhash.ts';
import { hostileTexts } from '../../test/fuzz/hostile-texts.ts';
import { disguises } from '../training/disguises.ts';
import { createRandom, pick } from '../training/random.ts';
import { linkSettings, readJson, rows, shipped } from './shipped.ts';
import { count, milliseconds, type Row, type Suite } from './suite.ts';

const signs =
  '@$!|1 |_| /\\ f* f*** (( ]( <b> s|_ ! ค 操 f< &#1 %4 a\u0301 \u202ea ɐ сука 1-1(1) }/\\]$ !0{@ 1| [@ ([{ a@ w.x. f.r. 💲 🔴 ⅷ㎏';
const spaced = [
  'a ',
  'f u ',
  'f r e e m o n e y ',
  'a b c d e f g h i j ',
  '1 ',
  '$ @ ! ',
  '}/\\]$ ',
  'h u ',
  'a dot ',
  'ab. cd ',
];
const alphabets = [
  '@$!|1l0i+(){}[]\\/_-*',
  'abcdefgilnorstuvwxyz',
  'a. -_|',
  '&#;x1aé',
  ':/.@[](dot)',
  'абвгийнпд',
  '1234567890 -().',
  '<>b/!-',
  'ａ𝐚ⅷ㎏',
  '🔴💲f',
  '"\'’ab',
  '\u200b\u202ea\n',
];
const drawn = 400;
/** Shapes that are timed again, of those that took the longest. */
const candidates = 40;

const filled = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

function shapesOf(length: number): string[] {
  const random = createRandom(17);
  const { terms } = readJson<TermLists>('artefacts/terms.json');
  const units = [
    ...signs.split(' '),
    ...spaced,
    ...terms.filter((_, at) => at % 8 === 0).map(({ term }) => `${term} `),
  ];
  for (let at = 0; at < drawn; at++) {
    const alphabet = [...pick(alphabets, random), ...(random() < 0.4 ? pick(alphabets, random) : '')];
    units.push(Array.from({ length: 1 + Math.floor(random() * 9) }, () => pick(alphabet, random)).join(''));
  }
  const spam = rows('spam/sms-uci.dev.jsonl.gz')
    .map(({ text }) => text)
    .join(' ')
    .slice(0, length);
  return [
    ...Object.values(hostileTexts).map((make) => make(length)),
    ...units.map((unit) => filled(unit, length)),
    ...Object.values(disguises).map((disguise) => disguise(spam, random).slice(0, length)),
  ];
}

function worst(length: number): Row {
  const { normalise, terms, toxicity, classifier } = shipped();
  const links = createLinkPolicy(linkSettings, normalise);
  // Runs every part. `assess` leaves some out, depending on what others found.
  const check = (text: string): void => {
    const normalised = normalise(text);
    toxicity.score(normalised, terms(normalised, text));
    classifier.score(normalised, text);
    links(normalised, text);
    fingerprintOf(normalised);
  };
  // By the clock, as the processor's time is counted in steps too large; the least of several has no neighbour in it.
  const timed = (text: string, rounds: number): number => {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const beganMs = performance.now();
      check(text);
      least = Math.min(least, performance.now() - beganMs);
    }
    return least;
  };
  const shapes = shapesOf(length);
  for (const shape of shapes) check(shape.slice(0, 1000));
  const descending = (left: number, right: number): number => right - left;
  const once = shapes.map((shape) => ({ shape, took: timed(shape, 1) })).sort((a, b) => b.took - a.took);
  const times = once
    .slice(0, candidates)
    .map(({ shape }) => timed(shape, 8))
    .sort(descending);
  return {
    name: `${length / 1024} KiB`,
    figures: {
      shapes: count(shapes.length),
      worst: milliseconds(times[0]!, length > 10_000 ? { most: 100, goal: 25 } : { most: 12, goal: 3 }),
      'the 10th worst': milliseconds(times[9]!),
      median: milliseconds(once[once.length >> 1]!.took),
    },
  };
}

export const hostileSuite: Suite = {
  name: 'hostile',
  title: 'Time of the whole text check for texts made to be slow, on one thread',
  quick: false,
  run: () => [worst(8192), worst(65_536)],
};
