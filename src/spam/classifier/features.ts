/**
 * Turns a text into what the classifier sees of it: hashed words, pairs of words, pieces of words, families of words and
 * links (`FeatureSet`), and the shape of the text (`text-shape.ts`). One pass, linear in the length of the text.
 */
import { isHan } from '../text/han-words.ts';
import { hashText, mix } from '../text/hashing.ts';
import type { Normalised } from '../text/normalise.ts';
import { createSpelledJoiner } from '../text/spelled.ts';
import { addShape, createShapeCounts, type ShapeCounts, shapeOf } from '../text/text-shape.ts';
import { unitClass, unitClasses } from '../text/unit-classes.ts';
import { createWordTrie } from '../text/word-trie.ts';
import { createFeatureSet, type FeatureSet, type Features, unitsMax } from './feature-set.ts';
import { createHanFeatures, type HanFeatures } from './han-features.ts';
import { createLinkFeatures, type LinkFeatures } from './link-features.ts';
import { moneyFamily } from './pseudo-families.ts';
import { createTokenSequence, type TokenSequence } from './token-sequence.ts';
import { createWordFeatures, type WordFeatures } from './word-features.ts';

/** The words that an extractor knows. */
export interface Lexicon {
  /** Words by family, folded as texts are; a word may belong to several families. */
  readonly families: Readonly<Record<string, readonly string[]>>;
  /** Known words, folded, the most common first. */
  readonly vocabulary: readonly string[];
  /** Han characters that are read as others: pairs, separated by spaces. */
  readonly variants: string;
}

/** @returns features that the next call overwrites */
export type Extractor = (normalised: Normalised, original: string) => Features;

const { letter, digit, currency, han } = unitClass;
/** Signs that may stand for a letter inside a word: `fr$$`. */
const isLeetSign = new Uint8Array(128);
for (const sign of '@$!+|(') isLeetSign[sign.charCodeAt(0)] = 1;

/** @returns an extractor with buffers of its own: one extractor must not be called from within itself */
export function createExtractor({ families, vocabulary, variants }: Lexicon): Extractor {
  const separated = Object.values(families).map((words) => words.filter((word) => !isHan(word)));
  const trie = createWordTrie(vocabulary, separated.flat());
  const familiesByHash = indexFamilies(separated);
  const set = createFeatureSet();
  const sequence = createTokenSequence(set);
  const hanRuns = createHanFeatures(families, variants, set, sequence);
  const links = createLinkFeatures(set, sequence, familiesByHash);
  const knownHashes = new Set(vocabulary.map(hashText));
  const words = createWordFeatures({ set, sequence, trie, knownHashes, familiesByHash });
  const scan = createScanner({ set, sequence, words, links, hanRuns });
  const joinSpelled = createSpelledJoiner(trie);
  const { features } = set;

  return (normalised, original) => {
    set.begin();
    sequence.begin();
    hanRuns.begin();
    links.begin();
    const folded = normalised.folded.length <= unitsMax ? normalised.folded : normalised.folded.slice(0, unitsMax);
    const counts = createShapeCounts();
    const joined = mayBeSpelled(folded) ? joinSpelled(folded) : undefined;
    if (joined !== undefined) counts.spelled = 1;
    scan(joined ?? folded, counts);
    features.hasOffsets = joined === undefined;
    counts.families = sequence.addFamilyPairs();
    counts.tokens = features.tokens;
    const isReachable = counts.links + counts.handles + counts.phones + counts.emails > 0;
    counts.hanEvidence = hanRuns.evidence() + (isReachable ? 1 : 0);
    shapeOf(counts, { folded, original, hidden: normalised.hidden }, features.shape);
    features.known = counts.known;
    features.han = counts.hanShare >= 0.5;
    return features;
  };
}

function indexFamilies(families: readonly (readonly string[])[]): Map<number, number[]> {
  const byHash = new Map<number, number[]>();
  for (const [family, words] of families.entries())
    for (const word of words) {
      const hash = hashText(word);
      const known = byHash.get(hash);
      if (!known) byHash.set(hash, [family]);
      else if (!known.includes(family)) known.push(family);
    }
  return byHash;
}

interface ScannerParts {
  readonly set: FeatureSet;
  readonly sequence: TokenSequence;
  readonly words: WordFeatures;
  readonly links: LinkFeatures;
  readonly hanRuns: HanFeatures;
}

/** Splits a text into tokens and hands each to the part that knows its kind. */
function createScanner({ set, sequence, words, links, hanRuns }: ScannerParts) {
  const { moveTo } = set;
  const { addToken } = sequence;
  const { addWord, addLeet, addNumber } = words;
  const { isHostAt, addLink, addHandle } = links;
  const { addRun } = hanRuns;
  // Of the word or number measured last.
  let letters = 0;
  let others = 0;

  function scan(text: string, counts: ShapeCounts): void {
    for (let at = 0; at < text.length; ) {
      moveTo(at);
      const kind = unitClasses[text.charCodeAt(at)]!;
      if (kind === unitClass.other) at = scanSign(text, at, counts);
      else if (kind === han) at = addRun(text, at);
      else if (kind === currency) {
        counts.coins++;
        if (at + 1 < text.length && /[\d\s]/.test(text[at + 1]!)) addToken(mix(0x11b0, 1), moneyFamily);
        at++;
      } else at = scanWord(text, at, counts);
    }
  }

  function scanSign(text: string, at: number, counts: ShapeCounts): number {
    const code = text.charCodeAt(at);
    if (code === 64 && at + 3 < text.length && unitClasses[text.charCodeAt(at + 1)] === letter)
      return addHandle(text, at, counts);
    addShape(counts, code);
    return at + 1;
  }

  /** A word, a number, or a link or an email address that begins like one. */
  function scanWord(text: string, at: number, counts: ShapeCounts): number {
    const end = measure(text, at);
    const next = end < text.length ? text.charCodeAt(end) : 0;
    if (next === 58 && isSchemeBefore(text, at, end)) return addLink(text, at, end + 3, counts);
    if (next === 46 && end + 1 < text.length && unitClasses[text.charCodeAt(end + 1)]! > 0 && isHostAt(text, at, end))
      return addLink(text, at, at, counts);
    if (next === 64 && end + 1 < text.length && unitClasses[text.charCodeAt(end + 1)] === letter) {
      counts.emails++;
      return addHandle(text, end, counts);
    }
    if (letters === 0) return addNumber(text, at, end, counts);
    addWord(text, at, end, counts);
    if (others > 0 && letters + others >= 3) addLeet(text.slice(at, end), counts);
    return end;
  }

  /** Counts the letters of a word, and the digits and signs among them. @returns its end */
  function measure(text: string, start: number): number {
    let letterCount = 0;
    let otherCount = 0;
    let end = start;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      const kind = unitClasses[code]!;
      if (kind === letter) letterCount++;
      else if (kind === digit) otherCount++;
      else if (end + 1 >= text.length || unitClasses[text.charCodeAt(end + 1)] !== letter) break;
      else if (code === 39) continue;
      else if (code < 128 && isLeetSign[code] === 1 && end > start) otherCount++;
      else break;
    }
    letters = letterCount;
    others = otherCount;
    return end;
  }

  return scan;
}

/** `http://`, `https://`, and `hxxp://` as people write it to keep a link from being one. The colon is at `end`. */
function isSchemeBefore(text: string, start: number, end: number): boolean {
  return end - start <= 5 && text.startsWith('://', end) && /^h(?:ttps?|xxps?)$/.test(text.slice(start, end));
}

/** Whether at least three single letters follow each other, with a sign or a little space between them. */
function mayBeSpelled(text: string): boolean {
  let run = 0;
  let single = false;
  let gap = 0;
  for (let at = 0; at < text.length; at++) {
    const kind = unitClasses[text.charCodeAt(at)]!;
    if (kind === letter || kind === digit) {
      single = gap > 0 || at === 0;
      if (single) run++;
      else run = 0;
      if (run >= 3) {
        const after = at + 1 < text.length ? unitClasses[text.charCodeAt(at + 1)]! : 0;
        if (after !== letter && after !== digit) return true;
      }
      gap = 0;
    } else {
      gap++;
      if (gap > 4) run = 0;
    }
  }
  return false;
}
