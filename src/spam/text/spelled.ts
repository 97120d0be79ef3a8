/**
 * Reads words that are spelled out or in leet: `f r e e`, `f.r.e.e`, `fr33`. Works on folded text with the help of known words.
 * Called only after a cheap check found such a thing. Linear in the length of the text.
 */
import { noNode, rootNode, type WordTrie } from './word-trie.ts';

/** Digits and signs that stand for letters. `1`, `!` and `|` are read as i first, then as l. */
const readings: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'il',
  '2': 'z',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '6': 'gb',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'il',
  '+': 't',
  '|': 'li',
  '(': 'c',
  '€': 'e',
  '£': 'l',
};

const readingsByCode = new Map(
  Object.entries(readings).map(([sign, letters]) => [
    sign.charCodeAt(0),
    Array.from(letters, (letter) => letter.charCodeAt(0)),
  ]),
);
const asciiReadings = Array.from({ length: 128 }, (_, code) => readingsByCode.get(code));
function readingsOf(code: number): readonly number[] | undefined {
  return code < 128 ? asciiReadings[code] : readingsByCode.get(code);
}

/** Steps through the readings of one word. A word with more gets its first reading. */
const stepsMax = 64;
/** No known word is longer. */
const wordMax = 18;

/** Reads `fr33` as the most common known word that it may be, or else as its first reading. */
export function createLeetReader(known: WordTrie): (token: string) => string {
  let token = '';
  let steps = 0;
  let bestRank = Number.POSITIVE_INFINITY;
  // Letters of the way that is walked, and of the best one.
  const read = new Uint16Array(wordMax);
  const best = new Uint16Array(wordMax);

  /** Walks the trie with every reading of the signs from `at` on. */
  function walk(node: number, at: number): void {
    if (at === token.length) {
      const rank = known.rankAt(node);
      if (rank < 0 || rank >= bestRank) return;
      best.set(read);
      bestRank = rank;
      return;
    }
    const code = token.charCodeAt(at);
    const letters = readingsOf(code);
    if (letters) for (const letter of letters) step(node, at, letter);
    else step(node, at, code);
  }

  function step(node: number, at: number, letter: number): void {
    if (steps++ >= stepsMax) return;
    const child = known.next(node, letter);
    if (child === noNode) return;
    read[at] = letter;
    walk(child, at + 1);
  }

  return (given) => {
    token = given;
    steps = 0;
    bestRank = Number.POSITIVE_INFINITY;
    if (given.length <= wordMax) walk(rootNode, 0);
    const isKnown = bestRank < Number.POSITIVE_INFINITY;
    let word = '';
    for (let at = 0; at < given.length; at++) {
      const code = given.charCodeAt(at);
      word += String.fromCharCode(isKnown ? best[at]! : (readingsOf(code)?.[0] ?? code));
    }
    return word;
  };
}

/** Four or more single letters with the same sign, or a run of spaces, between them. */
const spelledRun =
  /(?<![\p{L}\p{N}])[\p{L}\p{N}$@!](?:([^\p{L}\p{N}\s]|[^\S\n]{1,3})[\p{L}\p{N}$@!](?![\p{L}\p{N}])){2,}/gu;

/** Numbers stay whole, because only their length is a feature. */
const onlyDigits = /^\p{Nd}+$/u;

/**
 * Joins spelled-out words; undefined if the text has none. If the gaps between words are as wide as those between letters, the
 * known words decide where a word ends.
 */
export function createSpelledJoiner(known: WordTrie): (text: string) => string | undefined {
  const segment = createSegmenter(known);
  return (text) => {
    let letters = 0;
    const joined = text.replace(spelledRun, (run, gap: string) => {
      const parts = run.split(gap).filter((part) => part !== '');
      letters += parts.length;
      const words = [''];
      // `f.r.e.e m.o.n.e.y`, `f.r.e.e. .m.o.n.e.y`: a space among other signs separates words.
      const spaced = /\s/.test(gap);
      for (const part of parts) {
        const bits = spaced || !/\s/.test(part) ? [part] : part.split(/\s+/);
        for (let at = 0; at < bits.length; at++) {
          const bit = bits[at]!;
          if (at > 0 || (bit.length > 1 && /\s/.test(bit))) words.push('');
          words[words.length - 1] += bit.length === 1 ? bit : bit.replace(/[^\p{L}\p{N}$@!]/gu, '');
        }
      }
      return words.map((word) => (onlyDigits.test(word) ? word : segment(word))).join(' ');
    });
    return letters >= 4 ? joined : undefined;
  };
}

/** Cost of a letter outside all known words, in the unit of the logarithm of a word's rank. */
const strayCost = 9;
const lettersOfOne: ReadonlySet<number> = new Set([...'aiuиявк'].map((letter) => letter.charCodeAt(0)));

/** Cuts letters without gaps into the most likely known words. At most `wordMax` steps per letter. */
export function createSegmenter(known: WordTrie): (letters: string) => string {
  let costs = new Float64Array(1024);
  let cuts = new Int32Array(1024);
  let isKnown = new Uint8Array(1024);
  const rarity = Float64Array.from({ length: known.ranks }, (_, rank) => Math.log(rank + 2));

  return (letters) => {
    const size = letters.length;
    if (size < 2 || known.rankOf(letters) >= 0) return letters;
    if (size >= costs.length) {
      costs = new Float64Array(size * 2);
      cuts = new Int32Array(size * 2);
      isKnown = new Uint8Array(size * 2);
    }
    costs.fill(Number.POSITIVE_INFINITY, 0, size + 1);
    costs[0] = 0;
    const offer = (end: number, start: number, cost: number, asWord: 0 | 1): void => {
      if (cost >= costs[end]!) return;
      costs[end] = cost;
      cuts[end] = start;
      isKnown[end] = asWord;
    };
    for (let start = 0; start < size; start++) {
      const cost = costs[start]!;
      let node = rootNode;
      for (let at = start, last = Math.min(size, start + wordMax); at < last; at++) {
        node = known.next(node, letters.charCodeAt(at));
        if (node === noNode) break;
        const rank = known.rankAt(node);
        if (rank < 0 || (at === start && !lettersOfOne.has(letters.charCodeAt(at)))) continue;
        offer(at + 1, start, cost + 2 + rarity[rank]!, 1);
      }
      offer(start + 1, start, cost + strayCost, 0);
    }
    const pieces: string[] = [];
    let strayEnd = -1;
    for (let end = size; end > 0; end = cuts[end]!) {
      if (isKnown[end] === 0) {
        if (strayEnd < 0) strayEnd = end;
        continue;
      }
      if (strayEnd >= 0) pieces.push(letters.slice(end, strayEnd));
      strayEnd = -1;
      pieces.push(letters.slice(cuts[end]!, end));
    }
    if (strayEnd >= 0) pieces.push(letters.slice(0, strayEnd));
    return pieces.reverse().join(' ');
  };
}
