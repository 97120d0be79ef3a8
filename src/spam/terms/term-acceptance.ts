/**
 * Decides whether people would read a part of a text as a term. Each disguise is accepted only as far as it does not hit innocent
 * words. `term-walk.ts` finds readings; the rules here judge them.
 */
import type { TermEntry } from './term-lists.ts';
import { readingsOfSign } from './term-readings.ts';
import { kinds, marks, type Scan } from './term-scan.ts';

/** One spelling of a term in the tree. */
export interface Spelling {
  readonly entry: TermEntry;
  /** Number of characters of the folded spelling. */
  readonly length: number;
  /** It is recognised even if it is cut or masked. */
  readonly strong: boolean;
  /** A respelling, not a form of the word. */
  readonly variant: boolean;
  /** The words of a phrase, folded; one for a single word. */
  readonly pieces: readonly string[];
  /** It is in a script other than Latin. */
  readonly borrowed: boolean;
  /** It is too short to be distinguished from other words without its accents. */
  readonly needsAccents: boolean;
}

/** A spelling that was found in the places `from` to `to - 1`, and its disguise. */
export interface Reading {
  readonly spelling: Spelling;
  readonly from: number;
  readonly to: number;
  /** Interruptions between letters, and how many of them hold a space. */
  readonly gaps: number;
  readonly spaces: number;
  /** Letters hidden by signs with no other use, and by other signs. */
  readonly hardMasks: number;
  readonly softMasks: number;
  /** Letters written as digits or signs, and letters written as look-alikes. */
  readonly leets: number;
  readonly swaps: number;
  /** It begins inside what may be one word: no disguise is accepted. */
  readonly isTight: boolean;
}

const apostrophes: ReadonlySet<number> = new Set([39, 0x2019, 0x2bc]);
const contractions: ReadonlySet<string> = new Set(['re', 's', 't', 'll', 'd', 've', 'm', 'n']);
/** Words of one and two letters. */
const shortWords: ReadonlySet<string> = new Set(
  'a i of to in it is be as at so we he by or on do if me my up an go no us am hi oh ok ex ha la de pa ma yo tv pc id os sh vi ls cd rm uk eu'.split(
    ' ',
  ),
);
/** Signs that join or part words in ordinary texts, programs and addresses. */
const joiners: ReadonlySet<number> = new Set([...'-./|,:;+&()=\'’"?!'].map((sign) => sign.charCodeAt(0)));
const bar = 124;
const exclamation = 33;
const asterisk = 42;
const emphasisReach = 120;
const dot = 46;

function isWordKind(kind: number): boolean {
  return kind === kinds.letter || kind === kinds.otherLetter;
}

/** Scripts that put no spaces between words: CJK, kana, Hangul and its parts, Thai, Lao, Khmer. */
export function isUnspaced(code: number): boolean {
  return (code >= 0x2e80 && code < 0xd800) || (code >= 0x1100 && code < 0x1200) || (code >= 0xe00 && code < 0xf00);
}

function isCamelEdge({ kinds: found, marks: marked }: Scan, at: number): boolean {
  return (
    at > 0 &&
    found[at] === kinds.letter &&
    found[at - 1] === kinds.letter &&
    (marked[at]! & marks.upper) !== 0 &&
    (marked[at - 1]! & marks.upper) === 0
  );
}

/** Whether a word may begin at `at`: `tight` if that may be inside another word. */
export function startOf(scan: Scan, at: number): 'none' | 'free' | 'tight' {
  const kind = scan.kinds[at]!;
  if (kind === kinds.space) return 'none';
  // Of a run of the same sign, only the last one may stand for a letter.
  if (
    kind === kinds.sign &&
    at + 2 < scan.count &&
    scan.codes[at + 1] === scan.codes[at] &&
    scan.codes[at + 2] === scan.codes[at]
  )
    return 'none';
  if (at === 0) return 'free';
  const before = scan.kinds[at - 1]!;
  if (isWordKind(before) && kind === kinds.otherLetter && isUnspaced(scan.codes[at]!)) return 'tight';
  if (isWordKind(before)) return isCamelEdge(scan, at) ? 'tight' : 'none';
  if (before === kinds.digit) return isWordKind(kind) ? 'tight' : 'none';
  if (apostrophes.has(scan.codes[at - 1]!) && at > 1 && isWordKind(scan.kinds[at - 2]!)) return 'tight';
  return 'free';
}

/** Whether the reading ends where a word ends. */
function endsAtEdge(scan: Scan, { to, gaps, leets, hardMasks, softMasks }: Reading): boolean {
  if (to >= scan.count) return true;
  const after = scan.kinds[to]!;
  const disguised = gaps + leets + hardMasks + softMasks > 0;
  if (isWordKind(after)) {
    if (scan.kinds[to - 1] === kinds.otherLetter && isUnspaced(scan.codes[to - 1]!)) return true;
    return !disguised && isCamelEdge(scan, to);
  }
  if (after === kinds.digit) return !disguised;
  if (hardMasks > 0 && scan.codes[to] === asterisk) return false;
  return true;
}

/** Whether a letter has signs or spaces on both sides, so that a spelled-out word may continue there. */
function isLone(scan: Scan, at: number): boolean {
  return (
    at >= 0 &&
    at < scan.count &&
    isWordKind(scan.kinds[at]!) &&
    (at === 0 || !isWordKind(scan.kinds[at - 1]!)) &&
    (at + 1 >= scan.count || !isWordKind(scan.kinds[at + 1]!))
  );
}

function goesOnSpelling(scan: Scan, { from, to }: Reading): boolean {
  let next = to;
  while (next < scan.count && next < to + 3 && !isWordKind(scan.kinds[next]!)) next += 1;
  if (next > to && isLone(scan, next) && !isWordOfOne(scan, next)) return true;
  let previous = from - 1;
  while (previous >= 0 && previous > from - 4 && !isWordKind(scan.kinds[previous]!)) previous -= 1;
  return previous < from - 1 && isLone(scan, previous) && !isWordOfOne(scan, previous);
}

/** "a", "i", "u": words of one letter; only beside a space. */
function isWordOfOne({ codes, kinds: found, count }: Scan, at: number): boolean {
  const spaced =
    (at > 0 && found[at - 1] === kinds.space) || at === 0 || (at + 1 < count && found[at + 1] === kinds.space);
  return spaced && (codes[at] === 97 || codes[at] === 105 || codes[at] === 117);
}

/** Whether there are signs that stand for no letter. Together with spaces and leet they are the punctuation of program code. */
function hasPunctuation({ codes, kinds: found }: Scan, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (found[at] === kinds.sign && !readingsOfSign(codes[at]!)) return true;
  return false;
}

/** The pieces between interruptions that a word was cut into. */
export function piecesOf({ codes, kinds: found }: Scan, from: number, to: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let at = from; at <= to; at++) {
    if (at < to && (isWordKind(found[at]!) || found[at] === kinds.digit)) {
      piece += String.fromCodePoint(codes[at]!);
    } else if (piece !== '') {
      pieces.push(piece);
      piece = '';
    }
  }
  return pieces;
}

export interface AcceptanceWords {
  /** Common words; `known` also holds rarer ones, which the pieces of a cut term may look like. */
  readonly common: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
  readonly innocent: ReadonlySet<string>;
  /** Terms and their forms. */
  readonly forms: ReadonlySet<string>;
}

export function isRead(reading: Reading, scan: Scan, words: AcceptanceWords): boolean {
  const { spelling, from, to, gaps, spaces, leets, swaps, hardMasks, softMasks, isTight } = reading;
  const disguises = gaps + leets + swaps + hardMasks + softMasks;
  if (isTight && disguises > 0) return false;
  if (!endsAtEdge(scan, reading)) return false;
  if (!isOfOneScript(reading, scan)) return false;
  if (spelling.needsAccents && !isBeyondAscii(scan, from, to)) return false;
  if (gaps === 0 && words.innocent.has(wordWithin(scan, from, to))) return false;
  if (
    spelling.pieces.length > 1 &&
    spelling.entry.kind !== 'strong' &&
    gaps === 0 &&
    (spelling.length < 8 || to - from > spelling.length)
  )
    return false;
  if (spelling.variant && (isNameLike(scan, from, to) || (to - from <= 3 && hasUpper(scan, from, to)))) return false;
  if ((isCamelEdge(scan, from) || isCamelEdge(scan, to)) && hasUpper(scan, from + 1, to)) return false;
  if (disguises === 0) return true;
  if (hardMasks + softMasks > 0) return isMaskRead(reading, scan, words);
  if (leets > 0 && (!isLeetRead(reading, scan) || isAlternation(scan, from, to, words.known))) return false;
  if (swaps > 0 && spelling.variant) return false;
  if (swaps > 0 && words.known.has(lettersOf(scan, from, to))) return false;
  if (gaps === 0) return true;
  if (gaps === spelling.pieces.length - 1 && isPhrase(reading, scan)) return true;
  const spelled = gaps >= spelling.length - 1;
  if (leets > 0 && spaces > 0 && hasPunctuation(scan, from, to)) return false;
  if (spelled) return spelling.length >= 3 && !goesOnSpelling(scan, reading) && !spelling.variant;
  if (!spelling.strong || spelling.variant) return false;
  if (spaces > 0 && spelling.entry.kind === 'foreign') return false;
  return isCutRead(reading, scan, words);
}

/** Whether a Latin term is disguised with look-alikes among Latin words, not an ordinary word of another alphabet. */
function isOfOneScript({ spelling, from, to, swaps }: Reading, scan: Scan): boolean {
  let borrowed = 0;
  let letters = 0;
  for (let at = from; at < to; at++) {
    if (!isWordKind(scan.kinds[at]!)) continue;
    letters += 1;
    if (scan.marks[at] === marks.borrowed) borrowed += 1;
  }
  if (spelling.borrowed) return borrowed * 2 >= letters;
  if (borrowed < letters || letters === 0) return true;
  let around = 0;
  let borrowedAround = 0;
  for (let at = Math.max(0, from - 200); at < Math.min(scan.count, to + 200); at++) {
    if ((at >= from && at < to) || !isWordKind(scan.kinds[at]!)) continue;
    around += 1;
    if (scan.marks[at] === marks.borrowed) borrowedAround += 1;
  }
  return around > 0 && (swaps > 0 ? borrowedAround === 0 : borrowedAround * 2 < around);
}

function isBeyondAscii({ originals }: Scan, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (originals[at]! >= 128) return true;
  return false;
}

function lettersOf({ codes, kinds: found }: Scan, from: number, to: number): string {
  let letters = '';
  for (let at = from; at < to; at++) if (isWordKind(found[at]!)) letters += String.fromCodePoint(codes[at]!);
  return letters;
}

/** The word without a sign at its edges, in case the sign is only a sign. Empty if there are signs inside too. */
function wordWithin(scan: Scan, from: number, to: number): string {
  let first = from;
  let end = to;
  if (scan.kinds[first] === kinds.sign) first += 1;
  if (scan.kinds[end - 1] === kinds.sign) end -= 1;
  const letters = lettersOf(scan, first, end);
  return letters.length >= end - first ? letters : '';
}

function hasUpper({ marks: marked }: Scan, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((marked[at]! & marks.upper) !== 0) return true;
  return false;
}

/** Whether a word is capitalised within a sentence, but not all in capitals. */
export function isNameLike({ marks: marked, kinds: found }: Scan, from: number, to: number): boolean {
  if (from === 0 || (marked[from]! & marks.upper) === 0) return false;
  for (let at = from + 1; at < to; at++)
    if (found[at] === kinds.letter && (marked[at]! & marks.upper) === 0) return true;
  return false;
}

/** `f**k`, `sh*t`, `b-tch`: enough letters must be visible. */
function isMaskRead(
  { spelling, from, to, gaps, leets, swaps, hardMasks, softMasks }: Reading,
  scan: Scan,
  { common }: AcceptanceWords,
): boolean {
  const { length, variant, entry } = spelling;
  if (
    gaps + swaps > 0 ||
    variant ||
    length < 4 ||
    entry.kind === 'phrase' ||
    (entry.kind === 'foreign' && !spelling.strong)
  )
    return false;
  if (scan.codes[to - 1] === asterisk && closesEmphasis(scan, from)) return false;
  if (scan.kinds[to - 1] === kinds.emoji) return false;
  const known = length - hardMasks - softMasks - leets;
  if (softMasks > 0) {
    const isWithin = isWordKind(scan.kinds[to - 1]!) || scan.kinds[to - 1] === kinds.digit;
    // `p.key` is a property name.
    if (piecesOf(scan, from, to).some((piece) => piece.length > 2 && common.has(piece))) return false;
    return isWithin && hardMasks === 0 && softMasks === 1 && known >= 3 && spelling.strong;
  }
  const isLower = (scan.marks[from]! & marks.upper) === 0;
  if (known >= 2 && (known * 2 > length || (known * 2 === length && isLower))) return true;
  return isBleep(spelling, scan, from, to, hardMasks + leets, isLower);
}

/** Whether there are asterisks before the word, so that those after it may end a Markdown emphasis. */
function closesEmphasis({ codes }: Scan, from: number): boolean {
  for (let at = from - 1; at >= 0 && at >= from - emphasisReach; at--) if (codes[at] === asterisk) return true;
  return false;
}

/** `f****r`, `fa****`, `f***`: the usual way to bleep, accepted for the gravest words only. */
function isBleep(
  { length, entry }: Spelling,
  scan: Scan,
  from: number,
  to: number,
  masks: number,
  isLower: boolean,
): boolean {
  if (entry.kind !== 'strong' || entry.score < 0.9) return false;
  const known = length - masks;
  let stars = 0;
  for (let at = from + 1; at < to; at++) if (scan.codes[at] === asterisk) stars += 1;
  if (stars !== masks) return false;
  if (known === 2) return isLower && (length <= 6 || scan.codes[to - 1] !== asterisk);
  if (known !== 1 || length > 6) return false;
  const first = String.fromCodePoint(scan.codes[from]!);
  if (!'fscbn'.includes(first)) return false;
  if (first !== 'f' && !isLower) return false;
  return from === 0 || scan.kinds[from - 1] === kinds.space;
}

/** Digits and signs for letters are accepted, unless the text may be a code or a number. */
function isLeetRead({ spelling, from, to, leets, gaps }: Reading, scan: Scan): boolean {
  const { length } = spelling;
  const letters = length - leets;
  let digits = 0;
  let uppers = 0;
  for (let at = from; at < to; at++) {
    if (scan.kinds[at] === kinds.digit) digits += 1;
    if ((scan.marks[at]! & marks.upper) !== 0) uppers += 1;
  }
  const signs = leets - Math.min(leets, digits);
  if (letters < 1) return (signs >= 2 && length >= 6) || (digits === 0 && gaps === 0 && to - from >= length + 2);
  const last = scan.kinds[to - 1];
  if (spelling.variant && (leets > 1 || last === kinds.sign)) return false;
  const atEdge = last === kinds.digit || scan.codes[to - 1] === exclamation;
  if (atEdge && leets === 1 && (spelling.variant || signs > 0 || !spelling.strong)) return false;
  if (spelling.variant && letters * 2 < length) return false;
  if (length <= 3) return signs > 0 && uppers === 0 && gaps === 0;
  if (signs === 0 && letters < 2) return length >= 4 && uppers === 0 && digits < 4;
  if (signs === 0 && uppers > 0 && digits >= letters) return false;
  // A price, a score or a version beside it says that the digits are digits.
  const before = from > 0 ? scan.kinds[from - 1] : kinds.space;
  return before !== kinds.digit;
}

/** Whether it is an alternation of a regular expression: words on both sides of a bar. */
function isAlternation(scan: Scan, from: number, to: number, known: ReadonlySet<string>): boolean {
  if (!scan.codes.subarray(from, to).includes(bar)) return false;
  const pieces = piecesOf(scan, from, to);
  return pieces.length > 1 && pieces.every((piece) => shortWords.has(piece) || (piece.length > 2 && known.has(piece)));
}

/** Whether the interruptions are between the words of the phrase. */
function isPhrase({ spelling, from, to }: Reading, scan: Scan): boolean {
  const found = piecesOf(scan, from, to);
  return (
    found.length === spelling.pieces.length &&
    found.every((piece, at) => squeezed(piece) === squeezed(spelling.pieces[at]!))
  );
}

function squeezed(letters: string): string {
  return letters.replace(/(.)\1+/gu, '$1');
}

/** A word cut in a few places (`f-uck`, `wh__o__re`, `fu ck`) is accepted, unless its pieces are words. */
function isCutRead(reading: Reading, scan: Scan, { common, known: all, forms }: AcceptanceWords): boolean {
  const { spelling, from, to, gaps, spaces, leets, swaps } = reading;
  if (spelling.length < 4) return false;
  const pieces = piecesOf(scan, from, to);
  for (let at = from + 1; at < to - 1; at++)
    if (apostrophes.has(scan.codes[at]!) && contractions.has(pieces.at(-1)!)) return false;
  const known = spaces === 0 ? common : all;
  const odd = (piece: string): boolean =>
    piece.length <= 2 ? !shortWords.has(piece) : !known.has(piece) && !known.has(squeezed(piece));
  if (spaces === 0) return pieces.length <= 1 || pieces.some(odd) || !isJoiner(scan, from, to);
  if (goesOnSpelling(scan, reading)) return false;
  if (gaps === 1) {
    if (leets + swaps > 0 || pieces.length !== 2) return false;
    const before = from > 0 ? scan.codes[from - 1]! : 32;
    if (before === dot || apostrophes.has(before)) return false;
    if (pieces.some((piece) => forms.has(piece))) return false;
    const width = to - from - pieces[0]!.length - pieces[1]!.length;
    if (width === 1) return pieces.some((piece) => piece.length > 1 && odd(piece));
    return (
      width === 3 &&
      spaces === 1 &&
      isSignBetweenSpaces(scan, from + pieces[0]!.length) &&
      pieces.some((piece) => piece.length <= 2 || odd(piece))
    );
  }
  const lone = pieces.filter((piece) => piece.length === 1).length;
  return lone * 2 >= pieces.length && spelling.length <= (gaps + 1) * 2 && pieces.some(odd);
}

/** Whether all signs are such that separate words in ordinary texts. */
function isJoiner({ codes, kinds: found }: Scan, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (found[at] === kinds.sign && !joiners.has(codes[at]!)) return false;
  return true;
}

function isSignBetweenSpaces({ kinds: found }: Scan, at: number): boolean {
  return found[at] === kinds.space && found[at + 1] === kinds.sign && found[at + 2] === kinds.space;
}

/** Whether the disguise is deliberate: innocent words are not written like that. */
export function isDeliberate({ spelling, from, to, gaps, leets, hardMasks }: Reading, scan: Scan): boolean {
  if (leets > 0 || hardMasks > 0) return true;
  if (spelling.length >= 4 && gaps >= spelling.length - 1) return true;
  let own = 0;
  let borrowed = 0;
  for (let at = from; at < to; at++) {
    own += scan.ends[at]! - scan.starts[at]!;
    if (scan.marks[at] === marks.borrowed) borrowed += 1;
  }
  return borrowed > 0 || Math.abs(scan.ends[to - 1]! - scan.starts[from]!) > own;
}
