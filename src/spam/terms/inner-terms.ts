/** Terms within longer words: `thatoldterm`. Such a word counts where what is left of it is ordinary words too. */
import { isWordsInRow } from './joined-words.ts';
import type { Spelling } from './term-acceptance.ts';
import { isBorrowedWord } from './term-edges.ts';
import type { TermEntry } from './term-lists.ts';
import type { Scan } from './term-scan.ts';
import { rowWidth, type TermTrie } from './term-trie.ts';

export interface InnerTermLists {
  /** Terms that are looked for within words. */
  readonly inner: TermTrie;
  readonly spellings: readonly Spelling[];
  readonly known: ReadonlySet<string>;
  /** Words that hold a term and are none. */
  readonly innocent: ReadonlySet<string>;
}

/** Finds the term that the letters from `start` to `end - 1` hold behind their beginning; not reentrant. */
export type InnerTermFinder = (scan: Scan, start: number, end: number) => TermEntry | undefined;

/** Letters run together: shorter ones hold no term and something else, longer ones nobody writes. */
const lettersMin = 5;
const lettersMax = 40;
const termLettersMin = 4;

export function createInnerTermFinder({ inner, spellings, known, innocent }: InnerTermLists): InnerTermFinder {
  /** Where the term that `longestAt` found last ends, repeated letters included. */
  let termEnd = 0;

  /** The longest term that begins at `start`, letters may be repeated. @returns its place in `spellings`; -1 is none */
  function longestAt(scan: Scan, start: number, end: number): number {
    let node = 0;
    let value = -1;
    let last = -1;
    for (let at = start; at < end; at++) {
      const code = scan.codes[at]!;
      const child = inner.children[node * rowWidth + code - 97]!;
      if (child !== 0) node = child;
      else if (code !== last) break;
      last = code;
      if (inner.values[node]! >= 0) {
        value = inner.values[node]!;
        termEnd = at + 1;
      }
    }
    return value;
  }

  return (scan, start, end) => {
    if (end - start < lettersMin || end - start > lettersMax || isBorrowedWord(scan, start, end)) return undefined;
    for (let at = start; at + 3 < end; at++) {
      const value = longestAt(scan, at, end);
      if (value < 0) continue;
      const { entry, length } = spellings[value]!;
      const word = lettersOf(scan, start, end);
      if (innocent.has(word) || known.has(word)) return undefined;
      const before = lettersOf(scan, start, at);
      const after = lettersOf(scan, termEnd, end);
      if (before === '' && after === '') continue;
      if (entry.inside ? length >= termLettersMin : isJoined(word, before, after)) return entry;
    }
    return undefined;
  };

  function isJoined(word: string, before: string, after: string): boolean {
    const isAfterKnown = (): boolean => isWordsInRow(after.replace(/^s(?=.)|^s$/, ''), known);
    return isWordsInRow(before, known) && isAfterKnown() && !isWordsInRow(word, known);
  }
}

function lettersOf({ codes }: Scan, from: number, to: number): string {
  return String.fromCharCode(...codes.subarray(from, to));
}
