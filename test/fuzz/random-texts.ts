/** Texts that nobody writes, the same ones for the same seed: hostile shapes, random bytes, mutations and mixtures of real texts. */
import { hostileTexts } from './hostile-texts.ts';

/** A small generator of numbers with a seed (mulberry32): 0 ≤ x < 1. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Pieces that mean something to one part of the engine or another. */
const pieces = [
  ...'*_~`[]()<>#!|\\&:;@.,+-= \t\n\r\0"\'/%?{}^$',
  ...['**', '~~', '```', '](', '![', '<!--', '-->', '<![CDATA[', '://', 'http://', 'https://a.b/', 'www.', 'mailto:'],
  ...[
    '\n\n',
    '\n> ',
    '\n- ',
    '\n1. ',
    '\n    ',
    '\n|-|-|\n',
    '| a |',
    '&#x41;',
    '&amp;',
    '&#',
    '%41',
    '%E2%80%AE',
    '@ana',
  ],
  ...[
    ':tada:',
    'javascript:',
    'data:',
    '\u200b',
    '\u200d',
    '\u202e',
    '\u2066',
    '\ufeff',
    '\u0301',
    '\u0489',
    '\ud800',
    '\udfff',
  ],
  ...[
    '𝔣',
    'ｆ',
    'а',
    'ß',
    'İ',
    'ﷺ',
    '👩‍👩‍👧',
    '🇩🇪',
    'a',
    'fuck',
    'f.u.c.k',
    'free',
    'WIN',
    '$$$',
    '(a+)+$',
    'a'.repeat(40),
  ],
];

export interface FuzzText {
  /** How it was made, for the report. */
  readonly kind: string;
  readonly text: string;
}

/**
 * @param seeds real texts that are cut up and mixed
 * @param longestMax UTF-16 units
 */
export function createTextFuzzer(seed: number, seeds: readonly string[], longestMax: number): () => FuzzText {
  const random = createRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const oneOf = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
  const shapes = Object.entries(hostileTexts);
  /** Most are short, some are as long as they may be. */
  const length = (): number => 1 + Math.floor(longestMax ** random());

  const makers: Readonly<Record<string, () => string>> = {
    'random units': () => Array.from({ length: length() }, () => String.fromCharCode(below(0x1_0000))).join(''),
    'random bytes as UTF-8': () => Buffer.from(Array.from({ length: length() }, () => below(256))).toString('utf8'),
    'random ASCII': () => Array.from({ length: length() }, () => String.fromCharCode(32 + below(95))).join(''),
    pieces: () => Array.from({ length: Math.ceil(length() / 3) }, () => oneOf(pieces)).join(''),
    'one piece without end': () => oneOf(pieces).repeat(length()),
    'two pieces without end': () => (oneOf(pieces) + oneOf(pieces)).repeat(length()),
    'pieces around a word': () => {
      const [open, close] = [oneOf(pieces), oneOf(pieces)];
      const depth = Math.ceil(length() / 4);
      return open.repeat(depth) + oneOf(pieces) + close.repeat(depth);
    },
    'a hostile shape': () => oneOf(shapes)[1](length()),
    'two hostile shapes': () => oneOf(shapes)[1](length()) + oneOf(shapes)[1](length()),
    'a real text with pieces in it': () => {
      const text = [...oneOf(seeds)];
      for (let times = 1 + below(8); times > 0; times--) text.splice(below(text.length + 1), 0, oneOf(pieces));
      return text.join('');
    },
    'parts of real texts': () => oneOf(seeds).slice(below(50)) + oneOf(pieces) + oneOf(seeds).slice(0, 1 + below(80)),
    'a real text that repeats': () => `${oneOf(seeds)}${oneOf(pieces)}`.repeat(1 + below(200)),
  };
  const kinds = Object.keys(makers);

  return () => {
    const kind = oneOf(kinds);
    return { kind, text: makers[kind]!().slice(0, longestMax) || ' ' };
  };
}
