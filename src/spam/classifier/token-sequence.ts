/**
 * Adds the tokens of a text in order, with what stands near them: pairs of words, and the families of words (invitations,
 * outlets, money…) with their neighbours. A family travels further than a word: what was learned of "visit my page" is known
 * of "peep our stream".
 */
import { mix } from '../text/hashing.ts';
import { type FeatureSet, views } from './feature-set.ts';

/** A family is paired with those of the last tokens, up to this many before it. */
const reachTokens = 5;
/** Tokens with families that are remembered, a power of two; the last `lookBack` of them are looked at. */
const ringSize = 8;
const lookBack = 4;
/** Families are numbered below it. */
const familiesMax = 64;

export const noFamilies: readonly number[] = [];

export interface TokenSequence {
  readonly begin: () => void;
  /** Adds a word, or a hash that stands for one, and closes its token. */
  readonly addToken: (hash: number, families: readonly number[]) => void;
  /** Adds the families of a word without closing the token. The word becomes the one before the next. */
  readonly addFamilies: (hash: number, families: readonly number[]) => void;
  /** The next word has no word before it. */
  readonly breakPair: () => void;
  /** The family occurs in the text, outside the order of its words. */
  readonly markFamily: (family: number) => void;
  /** Adds a feature for each two families of the text. @returns how many families it has */
  readonly addFamilyPairs: () => number;
}

export function createTokenSequence({ features, add, endToken }: FeatureSet): TokenSequence {
  let previousHash = 0;
  let previousFamilies = noFamilies;
  // A ring of the last tokens that have families.
  const ringToken = new Int32Array(ringSize);
  const ringFamilies: (readonly number[])[] = new Array<readonly number[]>(ringSize).fill(noFamilies);
  let ringNext = 0;
  const isPresent = new Uint8Array(familiesMax);
  const present = new Uint8Array(familiesMax);

  function begin(): void {
    breakPair();
    ringToken.fill(-100);
    isPresent.fill(0);
  }

  function breakPair(): void {
    previousHash = 0;
    previousFamilies = noFamilies;
  }

  function addToken(hash: number, families: readonly number[]): void {
    add(hash, views.word);
    if (previousHash !== 0) add(mix(previousHash, hash), views.pair);
    addFamilies(hash, families);
    endToken();
  }

  function addFamilies(hash: number, families: readonly number[]): void {
    for (const family of families) {
      isPresent[family] = 1;
      add(mix(family + 1, 0x51f15e), views.family);
      // A word beside a family says more than the word alone, and occurs more often than the pair of both words.
      if (previousHash !== 0) add(mix(previousHash, family + 101), views.family);
    }
    for (const family of previousFamilies) add(mix(family + 201, hash), views.family);
    if (families.length > 0) addNeighbours(families);
    previousHash = hash;
    previousFamilies = families;
  }

  function addNeighbours(families: readonly number[]): void {
    for (let back = 1; back <= lookBack; back++) {
      const at = (ringNext - back) & (ringSize - 1);
      if (features.tokens - ringToken[at]! > reachTokens) break;
      for (const before of ringFamilies[at]!)
        for (const family of families) add(mix(before + 1, (family + 1) << 8), views.family);
    }
    ringToken[ringNext] = features.tokens;
    ringFamilies[ringNext] = families;
    ringNext = (ringNext + 1) & (ringSize - 1);
  }

  function addFamilyPairs(): number {
    let count = 0;
    for (let family = 0; family < familiesMax; family++) if (isPresent[family] === 1) present[count++] = family;
    for (let left = 0; left < count; left++)
      for (let right = left + 1; right < count; right++)
        add(mix(present[left]! + 301, (present[right]! + 301) << 8), views.family);
    return count;
  }

  return {
    begin,
    addToken,
    addFamilies,
    breakPair,
    markFamily: (family) => {
      isPresent[family] = 1;
    },
    addFamilyPairs,
  };
}
