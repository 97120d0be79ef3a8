/**
 * Undoes what keeps a word's letters apart for a machine only: `f r e e`, `f.r.e.e`, `fr33`. Works on folded text, needs the
 * words that are known, and is called only where a cheap look found such a thing. Linear in the length of the text.
 */
import { type KnownWords, noNode, rootNode } from './known-words.ts';

/** Signs that stand for letters, besides digits. `1` and `!` and `|` are read as i first, then as l. */
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

/** Steps over the readings of one word; a word that has more is read as its first reading. */
const stepsMax = 64;
/** No known word is longer. */
const wordMax = 18;

/** Reads `fr33`: a known word where there is one, else the first reading; undefined when a sign reads as nothing. */
export function createLeetReader(known: KnownWords): (token: string) => string | undefined {
  let token = '';
  let steps = 0;
  let best = '';
  let bestRank = Number.POSITIVE_INFINITY;

  /** Walks the known words with every reading of the signs from `at` on. */
  function walk(node: number, at: number, read: string): void {
    if (at === token.length) {
      const rank = known.rankAt(node);
      if (rank < 0 || rank >= bestRank) return;
      best = read;
      bestRank = rank;
      return;
    }
    const sign = token[at]!;
    const letters = readings[sign] ?? sign;
    for (let each = 0; each < letters.length && steps++ < stepsMax; each++) {
      const child = known.next(node, letters.charCodeAt(each));
      if (child !== noNode) walk(child, at + 1, read + letters[each]!);
    }
  }

  return (given) => {
    let first = '';
    for (const sign of given) {
      const letters = readings[sign] ?? (sign >= '0' && sign <= '9' ? undefined : sign);
      if (letters === undefined) return undefined;
      first += letters.length > 1 && readings[sign] !== undefined ? letters[0] : letters;
    }
    if (given.length > wordMax) return first;
    token = given;
    steps = 0;
    best = first;
    bestRank = Number.POSITIVE_INFINITY;
    walk(rootNode, 0, '');
    return best;
  };
}

/** Four or more single letters with one and the same sign, or one run of spaces, between them. */
const spelledRun =
  /(?<![\p{L}\p{N}])[\p{L}\p{N}$@!](?:([^\p{L}\p{N}\s]|[^\S\n]{1,3})[\p{L}\p{N}$@!](?![\p{L}\p{N}])){2,}/gu;

/** Numbers are left whole: their length is what is known of them. */
const onlyDigits = /^\p{Nd}+$/u;

/**
 * Puts spelled words together; undefined when the text has none. Words whose gaps are as wide as the gaps between their
 * letters are found again by the known words.
 */
export function createSpelledJoiner(known: KnownWords): (text: string) => string | undefined {
  const segment = createSegmenter(known);
  return (text) => {
    let letters = 0;
    const joined = text.replace(spelledRun, (run, gap: string) => {
      const parts = run.split(gap).filter((part) => part !== '');
      letters += parts.length;
      const words = [''];
      // `f.r.e.e m.o.n.e.y`, `f.r.e.e. .m.o.n.e.y`: space between other signs is a gap between words.
      const spaced = /\s/.test(gap);
      for (const part of parts)
        for (const [at, bit] of (spaced ? [part] : part.split(/\s+/)).entries()) {
          if (at > 0 || (bit.length > 1 && /\s/.test(bit))) words.push('');
          words[words.length - 1] += bit.length === 1 ? bit : bit.replace(/[^\p{L}\p{N}$@!]/gu, '');
        }
      return words.map((word) => (onlyDigits.test(word) ? word : segment(word))).join(' ');
    });
    return letters >= 4 ? joined : undefined;
  };
}

/** Cost of a letter that belongs to no known word, in the same unit as the logarithm of a word's rank. */
const strayCost = 9;
const lettersOfOne: ReadonlySet<number> = new Set([...'aiuиявк'].map((letter) => letter.charCodeAt(0)));

/** Cuts letters without gaps into the likeliest known words: at most `wordMax` steps a letter, few where no word goes on. */
export function createSegmenter(known: KnownWords): (letters: string) => string {
  let costs = new Float64Array(1024);
  let cuts = new Int32Array(1024);
  let isKnown = new Uint8Array(1024);

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
        offer(at + 1, start, cost + 2 + Math.log(rank + 2), 1);
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
