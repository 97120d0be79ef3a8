/** Compiles lists of terms into tries of their spellings. */
import type { Normalised } from '../text/normalise.ts';
import type { Spelling } from './term-acceptance.ts';
import type { TermEntry } from './term-lists.ts';
import { createTrie, type TermTrie } from './term-trie.ts';

export interface CompiledTerms {
  /** All spellings. Values are places in `spellings`. */
  readonly trie: TermTrie;
  /** Spellings that are searched for within longer words. */
  readonly inner: TermTrie;
  readonly spellings: readonly Spelling[];
  /** The letters of terms and their forms. */
  readonly forms: ReadonlySet<string>;
}

const plain = /^[a-z]+$/;

/** Takes milliseconds for thousands of words. Words are folded as texts are. */
export function compileTerms(terms: readonly TermEntry[], normalise: (text: string) => Normalised): CompiledTerms {
  const spellings: Spelling[] = [];
  const exact: [string, number][] = [];
  const respelled: [string, number][] = [];
  const within: [string, number][] = [];
  const add = (entry: TermEntry, written: string, variant: boolean): void => {
    const pieces = plain.test(written)
      ? [written]
      : normalise(written)
          .folded.split(/[^\p{L}\p{N}]+/u)
          .filter(Boolean);
    const letters = pieces.join('');
    const length = [...letters].length;
    if (length < 2) return;
    const borrowed = /[\u0370-\u1cff\u2e80-\ud7ff]/.test(written);
    const needsAccents = !borrowed && length <= 5 && /[^\0-\x7f]/.test(written);
    const strong = entry.kind === 'strong' || (entry.kind === 'foreign' && length >= 6 && pieces.length === 1);
    if (pieces.length > 1) cuts.set(letters, pieces);
    const value =
      spellings.push({ entry, length, variant, pieces: cuts.get(letters) ?? pieces, strong, borrowed, needsAccents }) -
      1;
    (variant ? respelled : exact).push([letters, value]);
    const isWithin = entry.kind === 'strong' || (strong && entry.inside);
    if (!variant && isWithin && length >= 4 && plain.test(letters)) within.push([letters, value]);
  };
  const cuts = new Map<string, readonly string[]>();
  for (const entry of terms) if (entry.kind === 'phrase') add(entry, entry.term, false);
  for (const entry of terms) if (entry.kind !== 'phrase') add(entry, entry.term, false);
  for (const entry of terms) for (const form of entry.forms?.split(' ') ?? []) add(entry, form, false);
  for (const entry of terms) for (const variant of entry.variants?.split(' ') ?? []) add(entry, variant, true);
  // Single words before phrases of the same letters.
  const isPhrase = ([, value]: readonly [string, number]): number =>
    spellings[value]!.entry.kind === 'phrase' ? 1 : 0;
  exact.sort((left, right) => isPhrase(left) - isPhrase(right));
  return {
    trie: createTrie(exact, respelled),
    inner: createTrie(within),
    spellings,
    forms: new Set(exact.map(([letters]) => letters)),
  };
}
