/**
 * Words as the tone model sees them: by their class, also where they are misspelled, run together with a small word, spelled
 * out, or written with digits for letters; rows of words that are one expression (`fed up`) are one. Pure.
 */
import type { Label } from '../text/label.ts';
import { isLetterUnit } from '../text/letter-units.ts';
import type { Normalised } from '../text/normalise.ts';

/** Names of labels that the matcher gives to what offends, each a class of its own. */
export const termNames: ReadonlySet<string> = new Set(['profanity', 'slur', 'sexual', 'threat']);

/** Longer texts are judged by their beginning. */
const tokensMax = 400;
const tokenMax = 20;
/** Shorter words have too many neighbours that are words. */
const misspelledMin = 5;
const swappedMin = 4;
const joinedMin = 4;
/** Letters in a row that stand alone: fewer are initials. */
const spelledMin = 3;
const spelledMax = 12;
const none = -1;
const signLetters: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'ate',
  '@': 'a',
  $: 's',
  '!': 'i',
};
const hashStart = 0x811c9dc5 ^ 0x9e3779b1;
const filterBits = 17;
/** By code, whether a character may stand for a letter. */
const isSign = Uint8Array.from({ length: 128 }, (_, code) => (signLetters[String.fromCharCode(code)] ? 1 : 0));

export interface ToneToken {
  readonly text: string;
  /** `toneHash` of it. */
  readonly hash: number;
  /** Of `names`; -1 is none. */
  readonly kind: number;
  /** Counts up at whatever ends a part of a sentence. */
  readonly clause: number;
  /** Between quotation marks. */
  readonly isQuoted: boolean;
}

interface Phrase {
  readonly parts: readonly string[];
  readonly text: string;
  readonly hash: number;
  readonly kind: number;
}

/** What is meant by some spelling. */
interface Entry {
  readonly text: string;
  readonly hash: number;
  readonly kind: number;
  /** That end with it, the longer ones first. */
  readonly phrases: Phrase[];
}

export interface ToneWords {
  /** Names of classes, by kind. */
  readonly names: readonly string[];
  /** Not reentrant. */
  readonly read: (normalised: Normalised, labels: readonly Label[]) => ToneToken[];
}

/** Classes of which the words are looked for in misspellings: those on which the stance of a text hangs. */
const misspelled = ['group', 'hates', 'vermin', 'violent', 'vile'];

function wordsOf(classes: Readonly<Record<string, string>>, names: readonly string[]): string[] {
  return names.flatMap((name) => classes[name]?.split(' ') ?? []).filter((word) => !word.includes('_'));
}

/** Spellings that somebody may have meant as a word of some classes, with that word: two letters swapped, or one left out. */
function forEachMisspelling(
  classes: Readonly<Record<string, string>>,
  see: (spelling: string, word: string) => void,
): void {
  for (const word of wordsOf(classes, misspelled))
    for (let at = 1; at < word.length; at++) {
      if (word.length >= swappedMin) see(word.slice(0, at - 1) + word[at]! + word[at - 1]! + word.slice(at + 1), word);
      if (word.length >= misspelledMin) see(word.slice(0, at) + word.slice(at + 1), word);
    }
}

/** All spellings that would be read as a word of some class, those with a small word run together with it too. */
export function misspellings(classes: Readonly<Record<string, string>>): Set<string> {
  const spellings = new Set<string>();
  forEachMisspelling(classes, (spelling) => spellings.add(spelling));
  for (const word of wordsOf(classes, misspelled))
    if (word.length >= joinedMin) for (const small of wordsOf(classes, ['small'])) spellings.add(small + word);
  return spellings;
}

/**
 * @param classes words by class, separated by spaces; those of an expression by `_`. The class `small` is of
 *   words that are run together with those behind them, and has no meaning else.
 * @param innocent spellings that are words of their own
 */
export function createToneWords(classes: Readonly<Record<string, string>>, innocent: string): ToneWords {
  const { small: _, ...meaningful } = classes;
  const names = [...Object.keys(meaningful), ...termNames];
  const entries = new Map<string, Entry>();
  const isPhrase = (word: string): boolean => word.includes('_');
  for (const [kind, name] of names.entries())
    for (const word of meaningful[name]?.split(' ') ?? [])
      if (word && !isPhrase(word) && !entries.has(word))
        entries.set(word, { text: word, hash: toneHash(word), kind, phrases: [] });
  for (const [kind, name] of names.entries())
    for (const phrase of meaningful[name]?.split(' ').filter(isPhrase) ?? []) {
      const parts = phrase.split('_');
      const last = parts.at(-1)!;
      const entry = entries.get(last) ?? { text: last, hash: toneHash(last), kind: none, phrases: [] };
      entries.set(last, entry);
      entry.phrases.push({ parts, text: phrase, hash: toneHash(phrase), kind });
      entry.phrases.sort((left, right) => right.parts.length - left.parts.length);
    }
  const innocents = new Set(innocent.split(' '));
  const canBeJoined = names.map((name) => misspelled.includes(name));
  const smallBy = Map.groupBy(wordsOf(classes, ['small']), (word) => word[0]!);
  forEachMisspelling(classes, (spelling, word) => {
    if (!innocents.has(spelling) && !entries.has(spelling)) entries.set(spelling, entries.get(word)!);
  });

  /** Bits by hash: most words are in no class, which is known without a look at the map. */
  const filter = new Uint32Array(1 << (filterBits - 5));
  for (const word of entries.keys()) {
    const bit = bitOf(toneHash(word));
    filter[bit >>> 5]! |= 1 << (bit & 31);
  }
  const entryOf = (word: string, hash: number): Entry | undefined => {
    const bit = bitOf(hash);
    return (filter[bit >>> 5]! & (1 << (bit & 31))) === 0 ? undefined : entries.get(word);
  };

  // Of the text that is read.
  let tokens: ToneToken[] = [];
  let clause = 0;
  let isQuoted = false;
  /** Letters that stand alone, the last tokens. */
  let row = '';
  /** The last letters of all words: most letters that stand alone spell nothing. */
  const endings = new Set(Array.from(entries.keys(), (word) => word.slice(-spelledMin)));

  function add(text: string, hash: number, kind: number): void {
    tokens.push({ text, hash, kind, clause, isQuoted });
    if (text.length !== 1) row = '';
    else {
      row = row.length < spelledMax ? row + text : row.slice(1) + text;
      if (row.length >= spelledMin) joinSpelled();
    }
  }

  const addSign = (text: string, kind: number): void => add(text, toneHash(text), kind);

  /** Of a word that a small one was run together with: `thevermin`. */
  function joinedEntry(word: string): Entry | undefined {
    const small = smallBy.get(word[0]!);
    if (!small) return undefined;
    for (const each of small) {
      if (word.length - each.length < joinedMin || !word.startsWith(each)) continue;
      const rest = word.slice(each.length);
      const entry = entryOf(rest, toneHash(rest));
      if (entry?.text === rest && canBeJoined[entry.kind]) return innocents.has(word) ? undefined : entry;
    }
    return undefined;
  }

  function addWord(word: string, hash: number): void {
    const entry = entryOf(word, hash) ?? joinedEntry(word);
    if (!entry) {
      add(word, hash, none);
      return;
    }
    add(entry.text, entry.hash, entry.kind);
    for (const { parts, text, hash, kind } of entry.phrases) {
      const first = tokens.length - parts.length;
      if (first < 0 || !parts.every((part, at) => tokens[first + at]!.text === part)) continue;
      tokens.length = first;
      tokens.push({ text, hash, kind, clause, isQuoted });
      return;
    }
  }

  /** `h a t e`: the longest run of the last letters that is a word of some class. */
  function joinSpelled(): void {
    if (!endings.has(row.slice(-spelledMin))) return;
    for (let count = Math.min(row.length, tokens.length); count >= spelledMin; count--) {
      const entry = entries.get(row.slice(-count));
      if (!entry || entry.kind === none) continue;
      tokens.length -= count;
      tokens.push({ text: entry.text, hash: entry.hash, kind: entry.kind, clause, isQuoted });
      row = '';
      return;
    }
  }

  /** A word with digits or signs in it: with letters in their place where that is a word of a class, else its parts. */
  function addSigned(word: string): void {
    const entry = entries.get(unsigned(word));
    if (entry && entry.kind !== none) addWord(entry.text, entry.hash);
    else for (const part of word.split(/[^\p{L}]+/u)) if (part) addWord(part, toneHash(part));
  }

  function read({ folded, starts }: Normalised, labels: readonly Label[]): ToneToken[] {
    tokens = [];
    clause = 0;
    isQuoted = false;
    row = '';
    const terms = labels.length === 0 ? labels : labels.filter(({ name }) => termNames.has(name));
    let nextTerm = 0;
    let from = none;
    let apostrophe = none;
    let isSigned = false;
    let isStretched = false;
    let last = 0;
    let lastButOne = 0;
    let hash = 0;
    const end = (to: number): void => {
      const isPlain = apostrophe < from && !isStretched && to - from <= tokenMax;
      if (isPlain && !isSigned) addWord(folded.slice(from, to), hash);
      else {
        let word = isPlain ? folded.slice(from, to) : wordOf(folded, from, to);
        if (isSigned) addSigned(word);
        else {
          // `woman's`
          const isOwner = apostrophe === to - 2 && apostrophe > from && folded[to - 1] === 's';
          if (isOwner && !entries.has(word) && entries.has(word.slice(0, -1))) word = word.slice(0, -1);
          addWord(word, toneHash(word));
        }
      }
      from = none;
      isSigned = isStretched = false;
    };
    for (let at = 0; at < folded.length && tokens.length < tokensMax; at++) {
      if (nextTerm < terms.length) {
        const place = starts[at]!;
        while (nextTerm < terms.length && terms[nextTerm]!.end <= place) nextTerm += 1;
        const term = terms[nextTerm];
        if (term && place >= term.start) {
          if (from !== none) end(at);
          if (at === 0 || starts[at - 1]! < term.start || starts[at - 1]! >= term.end)
            addSign(`~${term.id.slice(5)}`, names.indexOf(term.name));
          continue;
        }
      }
      const code = folded.charCodeAt(at);
      if ((code >= 97 && code <= 122) || (code >= 128 && code !== 0x2019 && isLetterUnit(code))) {
        if (from === none) {
          from = at;
          hash = hashStart;
        } else if (code === last && code === lastButOne) isStretched = true;
        hash = Math.imul(hash ^ code, 0x01000193);
      } else if (code === 39 || code === 0x2019) apostrophe = at;
      else if (isSignLetter(folded, code, at, from)) {
        if (from === none) from = at;
        isSigned = true;
      } else {
        if (from !== none) end(at);
        if (code === 34 || code === 0x201c || code === 0x201d) {
          addSign('"', none);
          isQuoted = !isQuoted;
          clause += 1;
        } else if (code === 63) {
          addSign('?', none);
          clause += 1;
        } else if (code === 46 || code === 33 || code === 44 || code === 58 || code === 59 || code === 10) clause += 1;
      }
      lastButOne = last;
      last = code;
    }
    if (from !== none) end(folded.length);
    return tokens;
  }

  return { names, read };
}

/** FNV-1a, its low bits not yet spread. */
export function toneHash(text: string): number {
  let hash = hashStart;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

function bitOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> (32 - filterBits);
}

/** A digit or sign in a word that stands for a letter: `w0rd`, `4ll`, but not `3 words` nor `word!`. */
function isSignLetter(folded: string, code: number, at: number, from: number): boolean {
  if (code >= 128 || isSign[code] === 0) return false;
  if (code === 56) return from !== none;
  // Two of them at most in a row.
  const next = folded.charCodeAt(at + (isSign[folded.charCodeAt(at + 1)] === 1 ? 2 : 1));
  const isBeforeLetter = next >= 97 && next <= 122;
  return isBeforeLetter && (from !== none || code === 36 || code >= 48);
}

function unsigned(word: string): string {
  let read = '';
  for (const sign of word) read += signLetters[sign] ?? sign;
  return read;
}

/** Without apostrophes, and with letters that were stretched as two. */
function wordOf(folded: string, from: number, to: number): string {
  const word = folded.slice(from, Math.min(to, from + tokenMax * 2)).replace(/['\u2019]/g, '');
  return (/(.)\1\1/.test(word) ? word.replace(/(.)\1{2,}/g, '$1$1') : word).slice(0, tokenMax);
}
