/** A text as the matcher walks it: one place for each visible character, with its kind and its offsets in the original. */
import type { Normalised } from '../text/normalise.ts';
import { turnedReading } from './term-readings.ts';

/** Kinds of characters. */
export const kinds = { letter: 1, otherLetter: 2, digit: 3, sign: 4, space: 5, emoji: 6 } as const;

/** Scratch of one matcher, refilled for each text. Valid are the places 0 to `count - 1`. */
export interface Scan {
  count: number;
  /** Folded code points, and the original ones. */
  codes: Int32Array;
  originals: Int32Array;
  kinds: Uint8Array;
  /** Offsets in the original text, UTF-16. */
  starts: Int32Array;
  ends: Int32Array;
  /** 0 or one of `marks`. */
  marks: Uint8Array;
}

/** `upper`: the original is a capital letter. `borrowed`: it is a letter of another alphabet that looks like a Latin one. */
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
/** Empty places after the last one. */
const beyond = 4;
/** Cached kinds of the common code points; 0 is not known yet. */
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

/** Whether a letter is of an alphabet whose letters are used as look-alikes. Styled Latin letters are not. */
function isBorrowed(code: number): boolean {
  return (code >= 0x370 && code < 0x1d00) || (code >= 0x2c80 && code < 0xa720) || (code >= 0xab70 && code < 0xd800);
}

/** Fills a scan with a text. @returns `scan`, or a larger one that replaces it */
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
  // A reader that looks past the end must not find the text before.
  for (const each of [codes, found, marked]) each.fill(0, count, count + beyond);
  filled.count = count;
  return filled;
}

/** Reverses the places `from` to `to - 1`. */
export function reverseScan(
  { codes, originals, kinds: found, starts, ends, marks: marked }: Scan,
  from: number,
  to: number,
): void {
  for (const each of [codes, originals, found, starts, ends, marked]) each.subarray(from, to).reverse();
}

const override = '\u202e';
/** The end of an override: a pop (U+202C) or the end of the line. */
const overrideEnd = /[\u202c\n]/g;

/** Puts text after a right-to-left override into the order in which it is shown. Linear in the text. */
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

/** Replaces upside-down letters by the letters that they are when the line is turned. */
export function turnScan(scan: Scan): void {
  for (let at = 0; at < scan.count; at++) {
    const read = turnedReading(scan.originals[at]!) || turnedReading(scan.codes[at]!);
    if (read === 0) continue;
    scan.codes[at] = read;
    scan.kinds[at] = kinds.letter;
    scan.marks[at] = 0;
  }
}
