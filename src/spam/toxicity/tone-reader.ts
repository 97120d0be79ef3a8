/**
 * Reads a text as the tone model sees it: words by their class, also where they are misspelled, joined to a small word, spelled
 * out, or written with digits for letters. Pure.
 */
import type { Label } from '../text/label.ts';
import { isLetterUnit } from '../text/letter-units.ts';
import type { Normalised } from '../text/normalise.ts';
import { noKind, type ToneLexicon, termNames, toneHash, toneHashStep } from './tone-lexicon.ts';
import { createTokenList, isSignForLetter, type TokenList, type ToneToken } from './tone-tokens.ts';

/** Longer texts are judged by their beginning. */
const tokensMax = 400;
const wordUnitsMax = 20;
/** No word has begun. */
const none = -1;

/** @param labels what the term matcher found: their words become tokens of their own class. Not reentrant. */
export type ToneReader = (normalised: Normalised, labels: readonly Label[]) => ToneToken[];

export function createToneReader(lexicon: ToneLexicon): ToneReader {
  const list = createTokenList(lexicon);
  const word = createWordReader(lexicon, list);

  /** Adds the term once, where it begins. */
  function addTerm(starts: Int32Array, at: number, term: Label): void {
    if (word.from() !== none) word.end(at);
    if (at === 0 || starts[at - 1]! < term.start || starts[at - 1]! >= term.end)
      list.addSign(`~${term.id.slice(5)}`, lexicon.names.indexOf(term.name));
  }

  function addPunctuation(code: number): void {
    if (code === 34 || code === 0x201c || code === 0x201d) {
      list.addSign('"', noKind);
      list.toggleQuote();
      list.endClause();
    } else if (code === 63) {
      list.addSign('?', noKind);
      list.endClause();
    } else if (code === 46 || code === 33 || code === 44 || code === 58 || code === 59 || code === 10) list.endClause();
  }

  return ({ folded, starts }, labels) => {
    list.begin();
    word.begin(folded);
    const tokens = list.tokens();
    const terms = labels.length === 0 ? labels : labels.filter(({ name }) => termNames.has(name));
    let nextTerm = 0;
    for (let at = 0; at < folded.length && tokens.length < tokensMax; at++) {
      if (nextTerm < terms.length) {
        const start = starts[at]!;
        while (nextTerm < terms.length && terms[nextTerm]!.end <= start) nextTerm += 1;
        const term = terms[nextTerm];
        if (term && start >= term.start) {
          addTerm(starts, at, term);
          continue;
        }
      }
      const code = folded.charCodeAt(at);
      if (word.take(at, code)) continue;
      if (word.from() !== none) word.end(at);
      addPunctuation(code);
    }
    if (word.from() !== none) word.end(folded.length);
    return tokens;
  };
}

interface WordReader {
  readonly begin: (folded: string) => void;
  /** Where the word in progress begins; -1 is none. */
  readonly from: () => number;
  /** Takes one unit into the word in progress, or begins a word. @returns false if the unit is of no word */
  readonly take: (at: number, code: number) => boolean;
  /** Adds the word in progress, which ends before `to`. */
  readonly end: (to: number) => void;
}

/** Collects the letters of one word at a time, with what is odd about it. */
function createWordReader({ findExact }: ToneLexicon, { addWord, addSigned }: TokenList): WordReader {
  let folded = '';
  let start = none;
  let apostropheAt = none;
  let isSigned = false;
  let isStretched = false;
  let hash = 0;
  // The units that were taken before, those of terms left out.
  let last = 0;
  let lastButOne = 0;

  function begin(text: string): void {
    folded = text;
    last = lastButOne = 0;
    start = none;
    apostropheAt = none;
    isSigned = isStretched = false;
  }

  function take(at: number, code: number): boolean {
    const isThird = code === last && code === lastButOne;
    lastButOne = last;
    last = code;
    if ((code >= 97 && code <= 122) || (code >= 128 && code !== 0x2019 && isLetterUnit(code))) {
      if (start === none) {
        start = at;
        hash = toneHashStep(undefined, code);
        return true;
      }
      if (isThird) isStretched = true;
      hash = toneHashStep(hash, code);
      return true;
    }
    if (code === 39 || code === 0x2019) {
      apostropheAt = at;
      return true;
    }
    if (!isSignLetter(folded, code, at, start)) return false;
    if (start === none) start = at;
    isSigned = true;
    return true;
  }

  function end(to: number): void {
    const isPlain = apostropheAt < start && !isStretched && to - start <= wordUnitsMax;
    const text = isPlain ? folded.slice(start, to) : cleaned(folded, start, to);
    if (isSigned) addSigned(text);
    else if (isPlain) addWord(text, hash);
    else {
      const known = withoutPossessive(text, to);
      addWord(known, toneHash(known));
    }
    start = none;
    isSigned = isStretched = false;
  }

  /** `woman's` is read as `woman`, if that is a known word and `womans` is not. */
  function withoutPossessive(text: string, to: number): string {
    const isPossessive = apostropheAt === to - 2 && apostropheAt > start && folded[to - 1] === 's';
    return isPossessive && !findExact(text) && findExact(text.slice(0, -1)) ? text.slice(0, -1) : text;
  }

  return { begin, from: () => start, take, end };
}

/** A digit or sign in a word that stands for a letter: `w0rd`, `4ll`, but not `3 words` nor `word!`. */
function isSignLetter(folded: string, code: number, at: number, from: number): boolean {
  if (code >= 128 || isSignForLetter[code] === 0) return false;
  if (code === 56) return from !== none;
  // Two of them at most in a row.
  const next = folded.charCodeAt(at + (isSignForLetter[folded.charCodeAt(at + 1)] === 1 ? 2 : 1));
  const isBeforeLetter = next >= 97 && next <= 122;
  return isBeforeLetter && (from !== none || code === 36 || code >= 48);
}

/** Without apostrophes, and with at most two of a run of equal letters. */
function cleaned(folded: string, from: number, to: number): string {
  const word = folded.slice(from, Math.min(to, from + wordUnitsMax * 2)).replace(/['\u2019]/g, '');
  return (/(.)\1\1/.test(word) ? word.replace(/(.)\1{2,}/g, '$1$1') : word).slice(0, wordUnitsMax);
}
