/** The words that the tone model knows by class, with the misspellings and expressions that are read as them. */

/** Names of labels that the term matcher gives to what offends; each is a class of its own. */
export const termNames: ReadonlySet<string> = new Set(['profanity', 'slur', 'sexual', 'threat']);

/** The kind of a word that is in no class. */
export const noKind = -1;
/** Classes whose words are recognised in misspellings too: the stance of a text depends on them. */
const misspelledClasses = ['group', 'hates', 'vermin', 'violent', 'vile'];
/** Shorter words have too many neighbours that are words. */
const omissionLettersMin = 5;
const swapLettersMin = 4;
const joinedLettersMin = 4;
/** Letters at the end of a word by which spelled-out words are recognised. */
export const endingLetters = 3;
const hashStart = 0x811c9dc5 ^ 0x9e3779b1;
const filterBits = 17;

/** Several words that are one expression: `fed up`. */
export interface Phrase {
  readonly parts: readonly string[];
  readonly text: string;
  readonly hash: number;
  readonly kind: number;
}

/** What a spelling is read as. */
export interface ToneEntry {
  readonly text: string;
  /** `toneHash` of the text. */
  readonly hash: number;
  /** The place of its class in `names`; `noKind` for a word that only ends a phrase. */
  readonly kind: number;
  /** Expressions that end with the word, the longest first. */
  readonly phrases: readonly Phrase[];
}

export interface ToneLexicon {
  /** Names of classes, by kind. */
  readonly names: readonly string[];
  /** The entry of a spelling, or of a word of a class that a small word was joined to (`thevermin`). */
  readonly find: (word: string, hash: number) => ToneEntry | undefined;
  /** The entry of exactly this spelling. */
  readonly findExact: (word: string) => ToneEntry | undefined;
  /** Whether some known word ends with these letters. */
  readonly isEnding: (letters: string) => boolean;
}

/** FNV-1a. The low bits are not yet spread. */
export function toneHash(text: string): number {
  let hash = hashStart;
  for (let at = 0; at < text.length; at++) hash = toneHashStep(hash, text.charCodeAt(at));
  return hash;
}

/** `toneHash` of a text that is one unit longer; `undefined` begins it. */
export function toneHashStep(hash: number | undefined, code: number): number {
  return Math.imul((hash ?? hashStart) ^ code, 0x01000193);
}

/**
 * @param classes words by class, separated by spaces; the words of an expression are joined by `_`. The class `small` holds
 *   words that people join to the next one, and has no other meaning.
 * @param innocent words that are no misspelling of the others
 */
export function createToneLexicon(classes: Readonly<Record<string, string>>, innocent: string): ToneLexicon {
  const { small: _, ...meaningful } = classes;
  const names = [...Object.keys(meaningful), ...termNames];
  const innocents = new Set(innocent.split(' '));
  const entries = collectEntries(meaningful, names);
  forEachMisspelling(classes, (spelling, word) => {
    if (!innocents.has(spelling) && !entries.has(spelling)) entries.set(spelling, entries.get(word)!);
  });
  const endings = new Set(Array.from(entries.keys(), (word) => word.slice(-endingLetters)));
  const canBeJoined = names.map((name) => misspelledClasses.includes(name));
  const smallByFirst = Map.groupBy(wordsOf(classes, ['small']), (word) => word[0]!);

  // One bit per hash: most words are in no class, and the filter says so without a look at the map.
  const filter = new Uint32Array(1 << (filterBits - 5));
  for (const word of entries.keys()) {
    const bit = bitOf(toneHash(word));
    filter[bit >>> 5]! |= 1 << (bit & 31);
  }

  function entryOf(word: string, hash: number): ToneEntry | undefined {
    const bit = bitOf(hash);
    return (filter[bit >>> 5]! & (1 << (bit & 31))) === 0 ? undefined : entries.get(word);
  }

  function joinedEntry(word: string): ToneEntry | undefined {
    const small = smallByFirst.get(word[0]!);
    if (!small) return undefined;
    for (const each of small) {
      if (word.length - each.length < joinedLettersMin || !word.startsWith(each)) continue;
      const rest = word.slice(each.length);
      const entry = entryOf(rest, toneHash(rest));
      if (entry?.text === rest && canBeJoined[entry.kind]) return innocents.has(word) ? undefined : entry;
    }
    return undefined;
  }

  return {
    names,
    find: (word, hash) => entryOf(word, hash) ?? joinedEntry(word),
    findExact: (word) => entries.get(word),
    isEnding: (letters) => endings.has(letters),
  };
}

/** Words and expressions by their spelling; an expression is listed under its last word. */
function collectEntries(classes: Readonly<Record<string, string>>, names: readonly string[]): Map<string, ToneEntry> {
  const entries = new Map<string, ToneEntry & { readonly phrases: Phrase[] }>();
  for (const [kind, name] of names.entries())
    for (const word of classes[name]?.split(' ') ?? [])
      if (word && !isPhrase(word) && !entries.has(word))
        entries.set(word, { text: word, hash: toneHash(word), kind, phrases: [] });
  for (const [kind, name] of names.entries())
    for (const phrase of classes[name]?.split(' ').filter(isPhrase) ?? []) {
      const parts = phrase.split('_');
      const last = parts.at(-1)!;
      const entry = entries.get(last) ?? { text: last, hash: toneHash(last), kind: noKind, phrases: [] };
      entries.set(last, entry);
      entry.phrases.push({ parts, text: phrase, hash: toneHash(phrase), kind });
      entry.phrases.sort((left, right) => right.parts.length - left.parts.length);
    }
  return entries as Map<string, ToneEntry>;
}

function isPhrase(word: string): boolean {
  return word.includes('_');
}

function bitOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> (32 - filterBits);
}

function wordsOf(classes: Readonly<Record<string, string>>, names: readonly string[]): string[] {
  return names.flatMap((name) => classes[name]?.split(' ') ?? []).filter((word) => !isPhrase(word));
}

/** Calls `see` with each likely misspelling, two letters swapped or one left out, and the word that was meant. */
function forEachMisspelling(
  classes: Readonly<Record<string, string>>,
  see: (spelling: string, word: string) => void,
): void {
  for (const word of wordsOf(classes, misspelledClasses))
    for (let at = 1; at < word.length; at++) {
      if (word.length >= swapLettersMin)
        see(word.slice(0, at - 1) + word[at]! + word[at - 1]! + word.slice(at + 1), word);
      if (word.length >= omissionLettersMin) see(word.slice(0, at) + word.slice(at + 1), word);
    }
}

/** All spellings that would be read as a word of some class, also with a small word joined to it. Used by the training. */
export function misspellings(classes: Readonly<Record<string, string>>): Set<string> {
  const spellings = new Set<string>();
  forEachMisspelling(classes, (spelling) => spellings.add(spelling));
  for (const word of wordsOf(classes, misspelledClasses))
    if (word.length >= joinedLettersMin) for (const small of wordsOf(classes, ['small'])) spellings.add(small + word);
  return spellings;
}
