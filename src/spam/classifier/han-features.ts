/**
 * Features of runs of Han characters. Nothing separates their words, so words of the families are looked for at every
 * character, and what is hashed are pairs and triples of characters.
 */
import { createHanWords } from '../text/han-words.ts';
import { mix } from '../text/hashing.ts';
import { hanEvidenceMin } from '../text/text-shape.ts';
import { unitClass, unitClasses } from '../text/unit-classes.ts';
import { type FeatureSet, unitsMax, views } from './feature-set.ts';
import type { TokenSequence } from './token-sequence.ts';

/** Signs that spammers put between the characters of a word. */
const isGap = new Uint8Array(256);
for (const sign of ' .|/-_*~+=,·') isGap[sign.charCodeAt(0)] = 1;
/** A word has about so many characters: a token ends after each. */
const tokenCharacters = 2;

export interface HanFeatures {
  readonly begin: () => void;
  /** Adds the run of Han characters that begins at `start`, single signs between them passed over. @returns its end */
  readonly addRun: (text: string, start: number) => number;
  /** Distinct words so far that are evidence of spam, counted up to `hanEvidenceMin`. */
  readonly evidence: () => number;
}

/** @param families folded; only words in Han characters count here  @param variants see `createHanWords` */
export function createHanFeatures(
  families: Readonly<Record<string, readonly string[]>>,
  variants: string,
  { add, moveTo, endToken }: FeatureSet,
  { addFamilies, breakPair }: TokenSequence,
): HanFeatures {
  const hanWords = createHanWords(families, variants);
  const characters = new Uint16Array(unitsMax);
  const offsets = new Uint16Array(unitsMax);
  const evidence = new Int32Array(hanEvidenceMin);
  let evidenceCount = 0;

  let runEnd = 0;

  /** Fills `characters` and `offsets`, and sets `runEnd`. @returns how many characters */
  function readRun(text: string, start: number): number {
    let count = 0;
    runEnd = start;
    for (let at = start; at < text.length && at - runEnd <= 1; at++) {
      const code = text.charCodeAt(at);
      if (unitClasses[code] === unitClass.han) {
        offsets[count] = at;
        characters[count++] = hanWords.read(code);
        runEnd = at + 1;
      } else if (code >= 256 || isGap[code] === 0) break;
    }
    return count;
  }

  function addRun(text: string, start: number): number {
    const count = readRun(text, start);
    for (let at = 0; at < count; at++) {
      const first = characters[at]!;
      if (at + 1 < count) {
        const pair = mix(first, characters[at + 1]! ^ 0x4a5e);
        add(pair, views.word);
        if (at + 2 < count) add(mix(pair, characters[at + 2]!), views.pair);
      } else if (count === 1) add(mix(first, 0x4a5f), views.word);
      moveTo(offsets[at]!);
      hanWords.wordsAt(characters, at, count, addWord);
      if (at % tokenCharacters === 0) endToken();
    }
    breakPair();
    return runEnd;
  }

  function addWord(word: number, wordFamilies: readonly number[]): void {
    if (evidenceCount < hanEvidenceMin && !evidence.includes(word) && wordFamilies.some(hanWords.tells))
      evidence[evidenceCount++] = word;
    const hash = mix(word, 0x4a60);
    add(hash, views.word);
    addFamilies(hash, wordFamilies);
  }

  return {
    begin: () => {
      evidence.fill(-1);
      evidenceCount = 0;
    },
    addRun,
    evidence: () => evidenceCount,
  };
}
