/**
 * Offensive words, however they are spelled: whole words first, then the disguises that people use, each only as far as
 * it does not hit innocent words. Terms live in `data/moderation/artefacts/terms.json`, none in the code.
 */
import type { Label } from './label.ts';
import type { Normalised } from './normalise.ts';

export interface TermEntry {
  readonly term: string;
  readonly name: 'profanity' | 'slur' | 'sexual';
  readonly score: number;
  /** Recognised in disguise as well; the others only as a whole word. */
  readonly core: boolean;
  /** In no innocent word: recognised inside longer words too. */
  readonly anywhere: boolean;
}

export interface TermLists {
  readonly terms: readonly TermEntry[];
  /** Words that look like a term, or a term in disguise, and are none. */
  readonly innocent: readonly string[];
  /** Short words that may stand beside a split word without being a part of it. */
  readonly common: readonly string[];
}

export type TermMatcher = (normalised: Normalised, text: string) => Label[];

/** Digits and signs that are read as letters. */
const leet: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'il',
  '2': 'z',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '6': 'g',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'il',
  '|': 'il',
  '+': 't',
  '(': 'c',
  '<': 'c',
  '{': 'c',
  '[': 'c',
  '€': 'e',
  '£': 'l',
  '¥': 'y',
  '¢': 'c',
  '§': 's',
  '^': 'a',
  µ: 'u',
};
/** Signs that stand for any letter. */
const masks = '*#%$@!?_-+&×•';
/** Letters that may be written for another, after the word was read. */
const sounds: readonly (readonly [RegExp, string])[] = [
  [/ph/g, 'f'],
  [/ck/g, 'k'],
  [/qu?/g, 'k'],
  [/c(?=[kaou]|$)/g, 'k'],
  [/[xz]/g, 's'],
  [/y/g, 'i'],
  [/v/g, 'u'],
  [/(.)\1+/g, '$1'],
];
const endings = ['s', 'es', 'ed', 'er', 'ers', 'in', 'ing', 'y', 'a', 'az', 'ah'];
const readingsMax = 16;
const wordMax = 40;

interface Word {
  readonly start: number;
  readonly end: number;
}

export function createTermMatcher({ terms, innocent, common }: TermLists): TermMatcher {
  const whole = new Map<string, TermEntry>();
  const bySound = new Map<string, TermEntry>();
  const byShape = new Map<string, TermEntry[]>();
  const spared = new Set(innocent);
  const short = new Set(common);
  for (const entry of terms) {
    const letters = entry.term.replace(/[^\p{L}\p{N}]/gu, '');
    if (!whole.has(letters)) whole.set(letters, entry);
    if (!entry.core) continue;
    if (letters.length >= 4 && !bySound.has(soundOf(letters))) bySound.set(soundOf(letters), entry);
    const shape = `${letters[0]}${letters.length}`;
    byShape.set(shape, [...(byShape.get(shape) ?? []), entry]);
  }
  const anywhere = terms.filter((entry) => entry.anywhere).map((entry) => entry.term);
  const inside =
    anywhere.length > 0
      ? new RegExp(anywhere.map((term) => [...term].map((letter) => `${letter}+`).join('')).join('|'))
      : undefined;

  function find(word: string): TermEntry | undefined {
    if (word.length < 2 || word.length > wordMax || spared.has(word)) return undefined;
    const plain = whole.get(word);
    if (plain) return plain;
    for (const ending of endings) {
      if (!word.endsWith(ending) || word.length - ending.length < 3) continue;
      const base = word.slice(0, -ending.length);
      const entry = whole.get(base) ?? (base.at(-1) === base.at(-2) ? whole.get(base.slice(0, -1)) : undefined);
      if (entry?.core) return entry;
    }
    return undefined;
  }

  /** The word itself, then with stretched letters let go, then as it sounds. */
  function findSpoken(word: string, disguised: boolean): TermEntry | undefined {
    const direct = find(word);
    if (direct || spared.has(word)) return direct;
    const stretched = /(.)\1\1/.test(word);
    if (stretched) {
      const entry =
        find(word.replace(/(.)\1+/g, '$1$1')) ??
        find(word.replace(/(.)\1+/g, '$1')) ??
        find(word.replace(/(.)\1{2,}/g, '$1'));
      if (entry?.core) return entry;
    }
    const sound = word.length >= 3 ? bySound.get(soundOf(word)) : undefined;
    if (sound && (disguised || word.length >= 4)) return sound;
    return undefined;
  }

  function findInside(word: string): TermEntry | undefined {
    const found = word.length <= wordMax ? inside?.exec(word) : undefined;
    return found
      ? (whole.get(found[0].replace(/(.)\1+/g, '$1')) ?? whole.get(found[0]) ?? bySound.get(soundOf(found[0])))
      : undefined;
  }

  function findMasked(token: string): TermEntry | undefined {
    if (token.length < 3 || token.length > 14) return undefined;
    for (const entry of byShape.get(`${token[0]}${token.length}`) ?? []) {
      let letters = 0;
      let fits = true;
      for (let at = 0; at < token.length && fits; at++) {
        if (token[at] === entry.term[at]) letters += 1;
        else fits = masks.includes(token[at]!);
      }
      if (fits && letters >= 2 && letters * 2 >= token.length && letters < token.length) return entry;
    }
    return undefined;
  }

  /** All that stands between two spaces. */
  function matchToken(token: string): { entry: TermEntry; from: number; to: number } | undefined {
    const from = token.search(/[a-z0-9@$!|+(<€£]/);
    if (from === -1) return undefined;
    let to = token.length;
    while (to > from && !/[a-z0-9@$!|+]/.test(token[to - 1]!)) to -= 1;
    const core = token.slice(from, to);
    const letters = core.replace(/[^a-z]/g, '');
    const pure = letters.length === core.length;
    if (pure) {
      const entry = findSpoken(core, false) ?? findInside(core);
      return entry && { entry, from, to };
    }
    if (letters.length < 2 && !/^[@$!|013457 +(]+[a-z]|[a-z][@$!|013457+(]/.test(core)) return undefined;
    // Trailing signs belong to the sentence: "damn!" is no "damnl".
    const trimmed = core.replace(/[!+|$@]+$/, '');
    for (const candidate of trimmed === core ? [core] : [trimmed, core]) {
      for (const reading of readings(candidate)) {
        const entry = findSpoken(reading, true);
        if (entry?.core || (entry && candidate === trimmed && /^[a-z]+$/.test(trimmed)))
          return { entry, from, to: from + candidate.length };
      }
      const masked = findMasked(candidate);
      if (masked) return { entry: masked, from, to: from + candidate.length };
    }
    // Letter by letter, whatever sign stands between them.
    if (/^[a-z0-9@$!](?:[^a-z0-9@$!]+[a-z0-9@$!])+$/.test(core)) {
      const entry = readings(core.replace(/[^a-z0-9@$!]/g, ''))
        .map((reading) => findSpoken(reading, true))
        .find((found) => found?.core);
      if (entry) return { entry, from, to };
    }
    // Several words joined by signs, or one word cut by them.
    if (/^[a-z0-9@$!|+]+([^a-z0-9][a-z0-9@$!|+]+)+$/.test(core) || /[^a-z0-9]/.test(core)) {
      const joined = letters;
      const cut = core.split(/[^a-z0-9@$!|]+/).filter(Boolean);
      if (cut.length > 1 && joined.length <= 16) {
        const entry = find(joined);
        if (entry?.core && !cut.every((piece) => piece.length > 3)) return { entry, from, to };
        const stretchedJoin = findSpoken(joined, true);
        if (stretchedJoin?.core && cut.every((piece) => piece.length === 1)) return { entry: stretchedJoin, from, to };
      }
      let place = from;
      for (const piece of cut) {
        const at = token.indexOf(piece, place);
        const entry = /^[a-z]+$/.test(piece) ? (findSpoken(piece, false) ?? findInside(piece)) : undefined;
        if (entry) return { entry, from: at, to: at + piece.length };
        place = at + piece.length;
      }
    }
    for (const part of core.matchAll(/[a-z]{6,}/g)) {
      const entry = findInside(part[0]);
      if (entry) return { entry, from: from + part.index, to: from + part.index + part[0].length };
    }
    return undefined;
  }

  return ({ folded, starts, ends }, text) => {
    const labels: Label[] = [];
    const add = (entry: TermEntry, from: number, to: number): void => {
      const start = starts[from]!;
      const end = ends[to - 1]!;
      labels.push({
        name: entry.name,
        score: entry.score,
        start,
        end,
        matched: text.slice(start, end),
        id: `term:${entry.term}`,
      });
    };
    const tokens = splitAtSpaces(folded);
    const taken = new Set<Word>();
    for (const token of tokens) {
      const { start, end } = token;
      if (end - start > 200) continue;
      const found = matchToken(folded.slice(start, end));
      if (!found) continue;
      add(found.entry, start + found.from, start + found.to);
      taken.add(token);
    }
    matchAcross(tokens, folded, taken, add);
    return labels;
  };

  /** Words spelled letter by letter, or cut once by a space; and phrases. */
  function matchAcross(
    all: readonly Word[],
    folded: string,
    taken: ReadonlySet<Word>,
    add: (entry: TermEntry, from: number, to: number) => void,
  ): void {
    // A lone sign between two pieces is a cut, no word.
    const tokens = all.filter(({ start, end }) => end - start > 1 || /[a-z0-9@$!|+]/.test(folded[start]!));
    const lettersOf = tokens.map(({ start, end }) =>
      end - start > 24 ? '' : folded.slice(start, end).replace(/[^a-z0-9@$!|]/g, ''),
    );
    for (let at = 0; at < tokens.length; at++) {
      let run = at;
      while (run < tokens.length && lettersOf[run]!.length === 1 && run - at < 24) run += 1;
      if (run - at >= 3) {
        const spelled = lettersOf.slice(at, run).join('');
        const hit = findSpelled(spelled);
        if (hit) add(hit.entry, tokens[at + hit.from]!.start, tokens[at + hit.to - 1]!.end);
        at = run - 1;
        continue;
      }
      if (at + 1 >= tokens.length || taken.has(tokens[at]!) || taken.has(tokens[at + 1]!)) continue;
      const [left, right] = [lettersOf[at]!, lettersOf[at + 1]!];
      if (!left || !right || left.length + right.length > 14) continue;
      const phrase = whole.get(left + right);
      const odd = (piece: string) => piece.length <= 3 && !short.has(piece);
      if (phrase?.core && (odd(left) || odd(right) || phrase.term.includes(' ')))
        add(phrase, tokens[at]!.start, tokens[at + 1]!.end);
    }
  }

  function findSpelled(spelled: string): { entry: TermEntry; from: number; to: number } | undefined {
    for (let from = 0; from + 3 <= spelled.length; from++) {
      for (let to = spelled.length; to >= from + 3; to--) {
        const part = spelled.slice(from, to);
        for (const reading of readings(part)) {
          const entry = whole.get(reading) ?? (to - from >= 4 ? findSpoken(reading, true) : undefined);
          if (entry?.core && (to - from >= 4 || (from === 0 && to === spelled.length))) return { entry, from, to };
        }
      }
    }
    return undefined;
  }
}

/** What a spelling may be read as: each sign as its letter or letters, other signs left out. */
function readings(token: string): string[] {
  let all = [''];
  for (const character of token) {
    const letters = character >= 'a' && character <= 'z' ? character : (leet[character] ?? '');
    if (letters.length <= 1) all = all.map((each) => each + letters);
    else all = all.flatMap((each) => [...letters].map((letter) => each + letter)).slice(0, readingsMax);
  }
  return all;
}

function soundOf(word: string): string {
  let sound = word;
  for (const [pattern, replacement] of sounds) sound = sound.replace(pattern, replacement);
  return sound;
}

function splitAtSpaces(folded: string): Word[] {
  const words: Word[] = [];
  for (const found of folded.matchAll(/\S+/g)) words.push({ start: found.index, end: found.index + found[0].length });
  return words;
}
