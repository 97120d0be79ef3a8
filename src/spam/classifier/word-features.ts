/** Features of words and numbers: the word itself, its pieces, and the word that leet spelling (`fr33`) stands for. */
import { hashCode, hashStep, mix } from '../text/hashing.ts';
import { createLeetReader } from '../text/spelled.ts';
import type { ShapeCounts } from '../text/text-shape.ts';
import { unitClass, unitClasses } from '../text/unit-classes.ts';
import type { WordTrie } from '../text/word-trie.ts';
import { type FeatureSet, views } from './feature-set.ts';
import { moneyFamily, numberFamily } from './pseudo-families.ts';
import { noFamilies, type TokenSequence } from './token-sequence.ts';

/** Letters of a word that are read. */
const wordUnitsMax = 24;
/** ITU-T E.164: at most 15 digits. One more, because people write a trunk prefix too. */
const phoneDigitsMax = 16;
const phoneDigitsMin = 9;
/** Stand in for what is before the first and behind the last letter of a word. */
const wordStart = 3;
const wordEnd = 4;
/** Texts with so many leet words are read as leet in other places too. */
const leetWordsMin = 2;

export interface WordFeaturesOptions {
  readonly set: FeatureSet;
  readonly sequence: TokenSequence;
  readonly trie: WordTrie;
  /** Hashes of the words that count as known. */
  readonly knownHashes: ReadonlySet<number>;
  /** Families by the hash of a word. */
  readonly familiesByHash: ReadonlyMap<number, readonly number[]>;
}

export interface WordFeatures {
  readonly addWord: (text: string, start: number, end: number, counts: ShapeCounts) => void;
  /** Adds the word that a token with digits or signs in it is read as, if it is a known one. */
  readonly addLeet: (token: string, counts: ShapeCounts) => void;
  /** Adds the number in `start` to `end`, or the phone number that begins with it. @returns the end of what was read */
  readonly addNumber: (text: string, start: number, end: number, counts: ShapeCounts) => number;
}

export function createWordFeatures(options: WordFeaturesOptions): WordFeatures {
  const { trie, knownHashes, familiesByHash } = options;
  const { add } = options.set;
  const { addToken } = options.sequence;
  const readLeet = createLeetReader(trie);

  /** Pieces of four units, the word's ends included. */
  function addPieces(text: string, start: number, end: number): void {
    let first = wordStart;
    let second = hashCode(text.charCodeAt(start));
    let third = start + 1 < end ? hashCode(text.charCodeAt(start + 1)) : wordEnd;
    for (let at = start + 2; at <= end; at++) {
      const fourth = at < end ? hashCode(text.charCodeAt(at)) : wordEnd;
      add(mix(mix(first, second), mix(third, fourth) ^ 0x2545f491), views.piece);
      first = second;
      second = third;
      third = fourth;
    }
  }

  function addWord(text: string, start: number, end: number, counts: ShapeCounts): void {
    const stop = Math.min(end, start + wordUnitsMax);
    let hash = 0x811c9dc5;
    let last = 0;
    let repeats = 0;
    for (let at = start; at < stop; at++) {
      const code = text.charCodeAt(at);
      // Only the first two of a run of equal letters are hashed, so `freeee` is `free`.
      repeats = code === last ? repeats + 1 : 0;
      last = code;
      if (repeats === 2) counts.stretched++;
      if (repeats < 2) hash = hashStep(hash, code);
    }
    hash = mix(hash, 1);
    counts.words++;
    if (knownHashes.has(hash)) counts.knownWords++;
    addToken(hash, familiesByHash.get(hash) ?? noFamilies);
    addPieces(text, start, stop);
  }

  function addLeet(token: string, counts: ShapeCounts): void {
    const word = readLeet(token);
    if (word.length < 2) return;
    if (trie.rankOf(word) >= 0) counts.leet++;
    else if (counts.leet < leetWordsMin) return;
    addWord(word, 0, word.length, counts);
  }

  function addNumber(text: string, start: number, end: number, counts: ShapeCounts): number {
    let digits = end - start;
    let last = end;
    // Numbers with little between them are one phone number. The loop stops at more digits than a phone number has, so a
    // long row of numbers is not read again for each of them.
    for (let at = end; at < text.length && at - last < 3 && digits <= phoneDigitsMax; at++) {
      const code = text.charCodeAt(at);
      if (unitClasses[code] === unitClass.digit) {
        digits++;
        last = at + 1;
      } else if (!isPhoneGap(code)) break;
    }
    if (digits >= phoneDigitsMin && digits <= phoneDigitsMax) {
      counts.phones++;
      addToken(mix(0x11b2, digits), numberFamily);
      return last;
    }
    const length = end - start;
    const after = text.charCodeAt(end);
    if (after === 37) counts.percents++;
    if (unitClasses[after] === unitClass.currency) addToken(mix(0x11b0, 1), moneyFamily);
    if (length >= 4 && length <= 6) counts.shortNumbers++;
    // A number is known by its length alone.
    addToken(mix(0x11b3, Math.min(8, length)), numberFamily);
    // In a text with leet words `17` may stand for `it`.
    if (counts.leet >= leetWordsMin) addLeet(text.slice(start, end), counts);
    return end;
  }

  return { addWord, addLeet, addNumber };
}

/** Space, hyphen, parentheses, full stop. */
function isPhoneGap(code: number): boolean {
  return code === 32 || code === 45 || code === 40 || code === 41 || code === 46;
}
