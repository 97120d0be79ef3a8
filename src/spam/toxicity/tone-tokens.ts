/** The tokens of a text for the tone model, in order: words by their class, expressions and spelled-out words as one. */
import { endingLetters, noKind, type ToneLexicon, toneHash } from './tone-lexicon.ts';

export interface ToneToken {
  readonly text: string;
  /** `toneHash` of the text. */
  readonly hash: number;
  /** The place of its class in the lexicon's `names`; -1 is none. */
  readonly kind: number;
  /** Counts up at each punctuation mark that ends a part of a sentence. */
  readonly clause: number;
  /** Between quotation marks. */
  readonly isQuoted: boolean;
}

export interface TokenList {
  readonly begin: () => void;
  readonly tokens: () => ToneToken[];
  /** Adds a word. @param hash `toneHash` of it */
  readonly addWord: (word: string, hash: number) => void;
  /** Adds a word with digits or signs in it: as the word that they stand for, or else as its parts. */
  readonly addSigned: (word: string) => void;
  readonly addSign: (text: string, kind: number) => void;
  readonly endClause: () => void;
  readonly toggleQuote: () => void;
}

/** Letters that stand alone in a row and are remembered. Fewer than `endingLetters` are initials. */
const spelledMax = 12;
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
/** By ASCII code: 1 for a digit or sign that may stand for a letter. */
export const isSignForLetter = Uint8Array.from({ length: 128 }, (_, code) =>
  signLetters[String.fromCharCode(code)] ? 1 : 0,
);

export function createTokenList({ find, findExact, isEnding }: ToneLexicon): TokenList {
  let tokens: ToneToken[] = [];
  let clause = 0;
  let isQuoted = false;
  /** The last tokens, as far as they are single letters. */
  let spelled = '';

  function add(text: string, hash: number, kind: number): void {
    tokens.push({ text, hash, kind, clause, isQuoted });
    if (text.length !== 1) spelled = '';
    else {
      spelled = spelled.length < spelledMax ? spelled + text : spelled.slice(1) + text;
      if (spelled.length >= endingLetters) joinSpelled();
    }
  }

  /** `h a t e`: replaces the longest run of single letters that is a word of some class by that word. */
  function joinSpelled(): void {
    if (!isEnding(spelled.slice(-endingLetters))) return;
    for (let count = Math.min(spelled.length, tokens.length); count >= endingLetters; count--) {
      const entry = findExact(spelled.slice(-count));
      if (!entry || entry.kind === noKind) continue;
      tokens.length -= count;
      tokens.push({ text: entry.text, hash: entry.hash, kind: entry.kind, clause, isQuoted });
      spelled = '';
      return;
    }
  }

  function addWord(word: string, hash: number): void {
    const entry = find(word, hash);
    if (!entry) {
      add(word, hash, noKind);
      return;
    }
    add(entry.text, entry.hash, entry.kind);
    for (const phrase of entry.phrases) {
      const first = tokens.length - phrase.parts.length;
      if (first < 0 || !phrase.parts.every((part, at) => tokens[first + at]!.text === part)) continue;
      tokens.length = first;
      tokens.push({ text: phrase.text, hash: phrase.hash, kind: phrase.kind, clause, isQuoted });
      return;
    }
  }

  function addSigned(word: string): void {
    const entry = findExact(withLetters(word));
    if (entry && entry.kind !== noKind) addWord(entry.text, entry.hash);
    else for (const part of word.split(/[^\p{L}]+/u)) if (part) addWord(part, toneHash(part));
  }

  return {
    begin: () => {
      tokens = [];
      clause = 0;
      isQuoted = false;
      spelled = '';
    },
    tokens: () => tokens,
    addWord,
    addSigned,
    addSign: (text, kind) => add(text, toneHash(text), kind),
    endClause: () => {
      clause += 1;
    },
    toggleQuote: () => {
      isQuoted = !isQuoted;
    },
  };
}

function withLetters(word: string): string {
  let read = '';
  for (const sign of word) read += signLetters[sign] ?? sign;
  return read;
}
