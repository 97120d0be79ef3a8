/** Steps over a scan: where a run, a tag or the word around a place ends. */
import { kinds, marks, type Scan } from './term-scan.ts';

/** SourceOffsets of a tag of markup. */
const tagMax = 48;
/** Letters of one run that are let go in one step. */
const runMax = 200;
const less = 60;
const greater = 62;

/** A word of another alphabet, whatever its letters look like. */
export function isBorrowedWord({ marks: marked }: Scan, from: number, to: number): boolean {
  let borrowed = 0;
  for (let at = from; at < to; at++) if (marked[at] === marks.borrowed) borrowed += 1;
  return borrowed * 2 > to - from;
}

/** Where the letters that repeat the one at `at` end. */
export function runEnd({ codes, count }: Scan, at: number): number {
  let end = at + 1;
  const last = Math.min(count, at + runMax);
  while (end < last && codes[end] === codes[at]) end += 1;
  return end;
}

/** The end of `<tag …>`, `<!-- … -->` or `](address)` that begins here; 0 is none. */
export function tagEnd({ codes, count }: Scan, at: number): number {
  if (codes[at] === less) {
    const next = codes[at + 1]!;
    // A name, `/name` or `!--`.
    if (next !== 47 && next !== 33 && (next < 97 || next > 122)) return 0;
    for (let end = at + 1; end < count && end < at + tagMax; end++) if (codes[end] === greater) return end + 1;
    return 0;
  }
  if (codes[at + 1] !== 40) return 0;
  for (let end = at + 2; end < count && end < at + tagMax; end++) if (codes[end] === 41) return end + 1;
  return 0;
}

/** With the words that it is joined to by nothing but a capital, and the address of a link that it ends in. */
export function wholeWord(scan: Scan, from: number, to: number): [number, number] {
  let first = from;
  let end = to;
  while (first > 0 && scan.kinds[first] === kinds.letter && scan.kinds[first - 1] === kinds.letter) first -= 1;
  while (end < scan.count && scan.kinds[end - 1] === kinds.letter && scan.kinds[end] === kinds.letter) end += 1;
  if (scan.codes[end] === 93 && end < scan.count) end = tagEnd(scan, end) || end;
  return [first, end];
}
