/** A text as the matcher walks it: one place for each character that is seen, with its kind and its way back. */
import type { Normalised } from '../text/normalise.ts';
import { turnedReading } from './term-readings.ts';

/** What stands in a place. */
export const kinds = { letter: 1, otherLetter: 2, digit: 3, sign: 4, space: 5, emoji: 6 } as const;

/** Scratch of one matcher, filled anew for each text: places 0 to `count - 1`. */
export interface Scan {
  count: number;
  /** Folded code point, and the one that it was. */
  codes: Int32Array;
  originals: Int32Array;
  kinds: Uint8Array;
  /** In the original text, UTF-16. */
  starts: Int32Array;
  ends: Int32Array;
  /** 1: the original is a capital letter. 2: it is a letter of another alphabet that looks like a Latin one. */
  marks: Uint8Array;
}

export const marks = { upper: 1, borrowed: 2 } as const;

const pictograph = /\p{Extended_Pictographic}/u;
const letterOrDigit = /[\p{L}\p{N}]/u;
/** Kinds of ASCII, by code. */
const asciiKinds = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[a-z]/.test(character)) return kinds.letter;
  if (/[0-9]/.test(character)) return kinds.digit;
  return /\s/.test(character) ? kinds.space : kinds.sign;
});
/** SourceOffsets behind the last one that are empty. */
const beyond = 4;
/** Kinds of the code points up to here, each worked out when it is first seen; 0 is not yet. What lies above is rare. */
const knownKinds = new Uint8Array(0x20000);

function kindOf(code: number): number {
  if (code < 128) return asciiKinds[code]!;
  const known = code < knownKinds.length ? knownKinds[code]! : 0;
  if (known !== 0) return known;
  const character = String.fromCodePoint(code);
  let kind: number = kinds.sign;
  if (letterOrDigit.test(character)) kind = kinds.otherLetter;
  else if (/\s/u.test(character)) kind = kinds.space;
  else if (pictograph.test(character)) kind = kinds.emoji;
  if (code < knownKinds.length) knownKinds[code] = kind;
  return kind;
}

export function createScan(): Scan {
  return sized(1024);
}

function sized(room: number): Scan {
  return {
    count: 0,
    codes: new Int32Array(room),
    originals: new Int32Array(room),
    kinds: new Uint8Array(room),
    starts: new Int32Array(room),
    ends: new Int32Array(room),
    marks: new Uint8Array(room),
  };
}

/** Letters of alphabets that are borrowed for their looks; styled Latin letters are none of them. */
function isBorrowed(code: number): boolean {
  return (code >= 0x370 && code < 0x1d00) || (code >= 0x2c80 && code < 0xa720) || (code >= 0xab70 && code < 0xd800);
}

/** @returns `scan`, or a larger one that takes its place */
export function fillScan(scan: Scan, { folded, starts, ends }: Normalised, text: string): Scan {
  const filled = folded.length + beyond > scan.codes.length ? sized(folded.length * 2 + beyond) : scan;
  const { codes, kinds: found, marks: marked } = filled;
  let count = 0;
  for (let at = 0; at < folded.length; at++) {
    let code = folded.charCodeAt(at);
    const start = starts[at]!;
    const original = text.charCodeAt(start);
    let mark = original >= 65 && original <= 90 ? marks.upper : 0;
    if (code >= 128) {
      if (code >= 0xd800 && code < 0xdc00 && at + 1 < folded.length) code = folded.codePointAt(at)!;
      if (isBorrowed(code)) mark = marks.borrowed;
    } else if (original >= 0x370 && isBorrowed(original)) mark = marks.borrowed;
    codes[count] = code;
    const isPair = original >= 0xd800 && original < 0xdc00;
    filled.originals[count] = isPair ? text.codePointAt(start)! : original;
    found[count] = kindOf(code);
    filled.starts[count] = start;
    if (code > 0xffff) at += 1;
    filled.ends[count] = ends[at]!;
    marked[count++] = mark;
  }
  // Who looks beyond the end finds nothing of the text before.
  for (const each of [codes, found, marked]) each.fill(0, count, count + beyond);
  filled.count = count;
  return filled;
}

/** The places `from` to `to - 1` read from right to left, in place. */
export function reverseScan(
  { codes, originals, kinds: found, starts, ends, marks: marked }: Scan,
  from: number,
  to: number,
): void {
  for (const each of [codes, originals, found, starts, ends, marked]) each.subarray(from, to).reverse();
}

const override = '\u202e';
/** What ends an override: a pop or the end of the line. */
const overrideEnd = /[\u202c\n]/g;

/** Puts what follows a right-to-left override into the order in which it is seen, in place. Linear in the text. */
export function showOverrides(scan: Scan, text: string): void {
  let place = 0;
  for (let at = text.indexOf(override); at >= 0; ) {
    overrideEnd.lastIndex = at + 1;
    const end = overrideEnd.exec(text)?.index ?? text.length;
    while (place < scan.count && scan.starts[place]! < at) place += 1;
    const from = place;
    while (place < scan.count && scan.starts[place]! < end) place += 1;
    reverseScan(scan, from, place);
    at = text.indexOf(override, end);
  }
}

/** Letters turned upside down become what they are when the line is turned, in place. */
export function turnScan(scan: Scan): void {
  for (let at = 0; at < scan.count; at++) {
    const read = turnedReading(scan.originals[at]!) || turnedReading(scan.codes[at]!);
    if (read === 0) continue;
    scan.codes[at] = read;
    scan.kinds[at] = kinds.letter;
    scan.marks[at] = 0;
  }
}
