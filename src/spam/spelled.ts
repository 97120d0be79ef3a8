/**
 * Undoes what keeps a word's letters apart for a machine only: `f r e e`, `f.r.e.e`, `fr33`. Works on folded text, needs the
 * words that are known, and is called only where a cheap look found such a thing.
 */

/** Rank of a known word by how common it is, 0 the most; undefined for others. */
export type RankOf = (word: string) => number | undefined;

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

/** Combinations of doubtful signs that are tried in one word. */
const readingsMax = 16;

/** The word behind `fr33`: a known one where there is one, else the first reading; undefined when a sign reads as nothing. */
export function readLeet(token: string, rankOf: RankOf): string | undefined {
  let variants = [''];
  for (const sign of token) {
    const letters = readings[sign] ?? (sign >= '0' && sign <= '9' ? undefined : sign);
    if (letters === undefined) return undefined;
    const next: string[] = [];
    for (const letter of letters)
      for (const variant of variants) if (next.length < readingsMax) next.push(variant + letter);
    variants = next;
  }
  let best = variants[0]!;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const variant of variants) {
    const rank = rankOf(variant);
    if (rank !== undefined && rank < bestRank) {
      best = variant;
      bestRank = rank;
    }
  }
  return best;
}

/** Four or more single letters with one and the same sign, or one run of spaces, between them. */
const spelledRun =
  /(?<![\p{L}\p{N}])[\p{L}\p{N}$@!](?:([^\p{L}\p{N}\s]|[^\S\n]{1,3})[\p{L}\p{N}$@!](?![\p{L}\p{N}])){2,}/gu;

/**
 * The text with spelled words put together, or undefined when it has none. Words whose gaps are as wide as the gaps
 * between their letters are found again by the known words.
 */
export function joinSpelled(text: string, rankOf: RankOf): string | undefined {
  let letters = 0;
  const joined = text.replace(spelledRun, (run, gap: string) => {
    const parts = run.split(gap).filter((part) => part !== '');
    letters += parts.length;
    const words = [''];
    for (const part of parts) {
      const bare = part.replace(/[^\p{L}\p{N}$@!]/gu, '');
      // `f.r.e.e. .m.o.n.e.y`: a gap inside a part is a gap between words.
      if (/\s/.test(part)) words.push('');
      words[words.length - 1] += bare;
    }
    return words.map((word) => segment(word, rankOf)).join(' ');
  });
  return letters >= 4 ? joined : undefined;
}

const wordMax = 18;
/** Cost of a letter that belongs to no known word, in the same unit as the logarithm of a word's rank. */
const strayCost = 9;

/** Cuts letters without gaps into the likeliest known words. Linear: at most `wordMax` looks a letter. */
export function segment(letters: string, rankOf: RankOf): string {
  if (letters.length < 2 || rankOf(letters) !== undefined) return letters;
  const size = letters.length;
  const costs = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY);
  const cuts = new Int32Array(size + 1);
  const known = new Uint8Array(size + 1);
  costs[0] = 0;
  for (let end = 1; end <= size; end++) {
    costs[end] = costs[end - 1]! + strayCost;
    cuts[end] = end - 1;
    for (let start = Math.max(0, end - wordMax); start < end; start++) {
      const rank = rankOf(letters.slice(start, end));
      if (rank === undefined || (end - start === 1 && !'aiuиявк'.includes(letters[start]!))) continue;
      const cost = costs[start]! + 2 + Math.log(rank + 2);
      if (cost < costs[end]!) {
        costs[end] = cost;
        cuts[end] = start;
        known[end] = 1;
      }
    }
  }
  const pieces: string[] = [];
  let stray = '';
  for (let end = size; end > 0; end = cuts[end]!) {
    const piece = letters.slice(cuts[end]!, end);
    if (known[end] === 1) {
      if (stray !== '') pieces.push(stray);
      stray = '';
      pieces.push(piece);
    } else stray = piece + stray;
  }
  if (stray !== '') pieces.push(stray);
  return pieces.reverse().join(' ');
}
