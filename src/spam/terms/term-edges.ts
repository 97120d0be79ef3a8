/** Where runs, tags and words end in a scan. */
import { kinds, marks, type Scan } from './term-scan.ts';

/** Longest tag of markup, in places. */
const tagMax = 48;
/** Letters of a run that are passed in one step. */
const runMax = 200;
const less = 60;
const greater = 62;

/** Whether most letters of a word are of another alphabet, whatever they look like. */
export function isBorrowedWord({ marks: marked }: Scan, from: number, to: number): boolean {
  let borrowed = 0;
  for (let at = from; at < to; at++) if (marked[at] === marks.borrowed) borrowed += 1;
  return borrowed * 2 > to - from;
}

/** The end of the run of equal letters that begins at `at`. */
export function runEnd({ codes, count }: Scan, at: number): number {
  let end = at + 1;
  const last = Math.min(count, at + runMax);
  while (end < last && codes[end] === codes[at]) end += 1;
  return end;
}

/** The end of the `<tag …>`, `<!-- … -->` or `](address)` that begins at `at`; 0 is none. */
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

/** Extends a match to the whole camel-case word around it, and over the address of a Markdown link that it ends in. */
export function wholeWord(scan: Scan, from: number, to: number): [number, number] {
  let first = from;
  let end = to;
  while (first > 0 && scan.kinds[first] === kinds.letter && scan.kinds[first - 1] === kinds.letter) first -= 1;
  while (end < scan.count && scan.kinds[end - 1] === kinds.letter && scan.kinds[end] === kinds.letter) end += 1;
  if (scan.codes[end] === 93 && end < scan.count) end = tagEnd(scan, end) || end;
  return [first, end];
}
