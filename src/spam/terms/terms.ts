/**
 * Offensive words, however they are spelled. Every character has several readings (`term-readings.ts`), and the text is
 * walked through a tree of all words with all of them at once, over interruptions, repeated letters and masks; what is
 * found is judged by `term-acceptance.ts`. Terms live in `data/moderation/artefacts/terms.json`, none in the code.
 * Linear in the length of the text: each place that begins a word has a bounded number of steps.
 */

import type { Label } from '../text/label.ts';
import type { Normalised } from '../text/normalise.ts';
import { isWordsInRow } from './joined-words.ts';
import { isDeliberate, isRead, type Reading, startOf } from './term-acceptance.ts';
import { compileTerms } from './term-compile.ts';
import { createTermContext, isReclaimed } from './term-context.ts';
import { isBorrowedWord, runEnd, tagEnd, wholeWord } from './term-edges.ts';
import type { TermEntry, TermLists } from './term-lists.ts';
import {
  createReadings,
  type Drawing,
  drawingsFrom,
  hardMasks,
  readingsOfSign,
  softMasks,
  turnedSign,
} from './term-readings.ts';
import { createScan, fillScan, kinds, marks, reverseScan, showOverrides, turnScan } from './term-scan.ts';
import { childOf, rowWidth } from './term-trie.ts';

export type { TermEntry, TermLists } from './term-lists.ts';

/** Labels with spans in UTF-16 units of `text`, in the order of the text, none within another. Pure; not reentrant. */
export type TermMatcher = (normalised: Normalised, text: string) => Label[];

/** Steps of the walk from one place: disguises that people use need a tenth of them. */
const stepsPerStart = 1000;
/**
 * Steps that a text has at its beginning, and that every place adds to those that are left: ordinary texts take one a place.
 * Who uses them up with signs made for it is looked at more closely again after some ordinary ones.
 */
const stepsSpare = 3000;
const stepsPerPlace = 2;
/** Without any left, a place that begins a word has these for the word as it is written; deeper in debt it has none. */
const stepsLeast = 24;
const debtMax = 2000;
/** What it costs, in steps, to look at how a find is spelled, and at the words around it. */
const stepsPerFind = 8;
const stepsPerSense = 32;
/** SourceOffsets of one interruption; a tag of markup may be longer. */
const gapMax = 6;
const labelsMax = 100;
/** Of a slur among those whom it is for: enough to be looked at. */
const reclaimedScore = 0.4;
/** Letters run together, longer than any that people write. */
const joinedMax = 40;
const less = 60;
const bracket = 93;
const override = '\u202e';

/**
 * Compiles lists into a matcher: milliseconds for a few thousand words. Words are folded as texts are, so that the words
 * of a deployment (`lists` with other `terms`) are found in the same disguises.
 */
export function createTermMatcher(lists: TermLists, normalise: (text: string) => Normalised): TermMatcher {
  const { trie, inner, spellings, forms } = compileTerms(lists.terms, normalise);
  const known = new Set(lists.words.split(' '));
  const innocent = new Set(lists.innocent.split(' '));
  const words = { common: known, known: new Set([...known, ...lists.pieces.split(' ')]), innocent, forms };
  const readings = createReadings(lists.readings);
  const context = createTermContext(lists.markers);
  let scan = createScan();
  let text = '';
  let from = 0;
  let tight = false;
  let steps = 0;
  let best: Reading | undefined;
  let bestCost = 0;
  /** By place; below 0 where nobody has looked yet. */
  let fitting = new Int32Array(1024);
  let innocentTo = 0;

  function offer(
    value: number,
    to: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    const spelling = spellings[value]!;
    const cost = leets + swaps + (masks & 15) + (masks >> 4) + (spelling.variant ? 1 : 0);
    if (to === innocentTo) return;
    if (best && (to < best.to || (to === best.to && cost >= bestCost))) return;
    const reading: Reading = {
      spelling,
      from,
      to,
      gaps,
      spaces,
      hardMasks: masks & 15,
      softMasks: masks >> 4,
      leets,
      swaps,
      tight,
    };
    steps -= stepsPerFind;
    if (!isRead(reading, scan, words)) return;
    const { kind, senses, foreign, name } = spelling.entry;
    const hasSenses = kind === 'ambiguous' || senses || foreign || name === 'slur';
    if (hasSenses) steps -= stepsPerSense;
    if (hasSenses && !context.isMeant(reading, scan, isDeliberate(reading, scan))) {
      // Nor is it another word that is spelled alike.
      innocentTo = to;
      return;
    }
    best = reading;
    bestCost = cost;
  }

  /** @param last the letter before, which may be repeated; `fresh` after an interruption, which a letter must follow */
  function walk(
    node: number,
    at: number,
    last: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
    fresh: boolean,
  ): void {
    if (--steps < 0) return;
    if (!fresh) {
      const value = trie.values[node]!;
      if (value >= 0) offer(value, at, gaps, spaces, masks, leets, swaps);
    }
    if (at >= scan.count) return;
    const code = scan.codes[at]!;
    const kind = scan.kinds[at]!;
    if (kind === kinds.letter) {
      const child = trie.children[node * rowWidth + code - 97]!;
      if (child !== 0) walk(child, at + 1, code, gaps, spaces, masks, leets, swaps, false);
      if (code === last) walk(node, runEnd(scan, at), last, gaps, spaces, masks, leets, swaps, false);
      if (tight) return;
      if (code === 108) swap(node, at, 105, gaps, spaces, masks, leets, swaps);
      else if (code === 105 && (scan.marks[at]! & marks.upper) !== 0)
        swap(node, at, 108, gaps, spaces, masks, leets, swaps);
      else if (code === 118 || code === 114 || code === 117 || code === 110)
        draw(node, at, code, gaps, spaces, masks, leets, swaps);
      const others = readings(scan.originals[at]!);
      if (others)
        for (const read of others)
          if (read !== code) step(node, at + 1, read, last, gaps, spaces, masks, leets, swaps + 1);
      return;
    }
    if (kind === kinds.otherLetter) {
      const child = childOf(trie, node, code);
      if (child !== 0) walk(child, at + 1, code, gaps, spaces, masks, leets, swaps, false);
      if (code === last) walk(node, at + 1, last, gaps, spaces, masks, leets, swaps, false);
      if (tight) return;
      const others = readings(scan.originals[at]!);
      if (others) for (const read of others) step(node, at + 1, read, last, gaps, spaces, masks, leets, swaps + 1);
      return;
    }
    if (tight) return;
    if (kind !== kinds.space) {
      const read = readingsOfSign(code);
      if (read) for (const letter of read) step(node, at + 1, letter, last, gaps, spaces, masks, leets + 1, swaps);
      if (kind === kinds.sign || kind === kinds.digit) draw(node, at, code, gaps, spaces, masks, leets + 1, swaps);
      if (!fresh && node !== 0 && kind !== kinds.digit) mask(node, at, code, kind, gaps, spaces, masks, leets, swaps);
    }
    if (!fresh && node !== 0 && kind !== kinds.digit) interrupt(node, at, last, gaps, spaces, masks, leets, swaps);
  }

  function step(
    node: number,
    next: number,
    letter: number,
    last: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    const child = childOf(trie, node, letter);
    if (child !== 0) walk(child, next, letter, gaps, spaces, masks, leets, swaps, false);
    if (letter === last) walk(node, next, last, gaps, spaces, masks, leets, swaps, false);
  }

  /** One letter taken for another that looks like it. */
  function swap(
    node: number,
    at: number,
    letter: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    const child = childOf(trie, node, letter);
    if (child !== 0) walk(child, at + 1, -1, gaps, spaces, masks, leets, swaps + 1, false);
  }

  /** Several signs that draw one letter. */
  function draw(
    node: number,
    at: number,
    code: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    const drawn = drawingsFrom(code);
    if (!drawn) return;
    for (let fits = drawnAt(at, drawn), each = 0; fits !== 0; fits >>>= 1, each++) {
      if ((fits & 1) === 0) continue;
      const { signs, letter } = drawn[each]!;
      const child = childOf(trie, node, letter);
      if (child === 0) continue;
      const asLetters = scan.kinds[at] === kinds.letter ? 1 : 0;
      walk(child, at + signs.length, letter, gaps, spaces, masks, leets, swaps + asLetters, false);
    }
  }

  /** Which of the drawings fit in a place, a bit for each; looked at once a place however many walks come by. */
  function drawnAt(at: number, drawn: readonly Drawing[]): number {
    const seen = fitting[at]!;
    if (seen >= 0) return seen;
    let fits = 0;
    for (let each = 0; each < drawn.length; each++) {
      const { signs } = drawn[each]!;
      let next = 1;
      while (next < signs.length && scan.codes[at + next] === signs[next]) next++;
      if (next === signs.length) fits |= 1 << each;
    }
    fitting[at] = fits;
    return fits;
  }

  /** A sign that hides a letter, whichever. */
  function mask(
    node: number,
    at: number,
    code: number,
    kind: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    if (gaps > 0 || swaps > 0) return;
    const hard = kind === kinds.emoji || hardMasks.has(code);
    if (hard ? (masks & 15) >= 10 : masks >> 4 >= 1 || !softMasks.has(code)) return;
    steps -= 2;
    for (let place = node * rowWidth, end = place + rowWidth; place < end; place++) {
      const child = trie.children[place]!;
      if (child !== 0 && child < trie.firstNodes)
        walk(child, at + 1, -1, gaps, spaces, masks + (hard ? 1 : 16), leets, swaps, false);
    }
  }

  /** Signs, spaces and tags of markup between two letters of one word. */
  function interrupt(
    node: number,
    at: number,
    last: number,
    gaps: number,
    spaces: number,
    masks: number,
    leets: number,
    swaps: number,
  ): void {
    if (masks > 0) return;
    steps -= 1;
    let end = at;
    let isSpaced = 0;
    while (end < scan.count && end - at < gapMax) {
      const kind = scan.kinds[end]!;
      if (kind <= kinds.digit) break;
      if (kind === kinds.space) isSpaced = 1;
      const isTag = end === at && (scan.codes[end] === less || scan.codes[end] === bracket);
      const tag = isTag ? tagEnd(scan, end) : 0;
      if (isTag) steps -= 8;
      if (tag > 0) {
        walk(node, tag, last, gaps + 1, spaces + isSpaced, masks, leets, swaps, true);
        return;
      }
      // A sign may as well be the next letter.
      if (end > at && kind !== kinds.space && readingsOfSign(scan.codes[end]!))
        walk(node, end, last, gaps + 1, spaces + isSpaced, masks, leets, swaps, true);
      end += 1;
    }
    if (end < scan.count && scan.kinds[end]! <= kinds.digit)
      walk(node, end, last, gaps + 1, spaces + isSpaced, masks, leets, swaps, true);
  }

  /** All words that begin in some place of the scan, and terms within longer words. */
  function search(found: Label[]): void {
    context.begin();
    if (fitting.length < scan.count) fitting = new Int32Array(scan.count * 2);
    fitting.fill(-1, 0, scan.count);
    let spare = stepsSpare;
    let wordFrom = -1;
    for (let at = 0; at <= scan.count && found.length < labelsMax; at++) {
      const kind = at < scan.count ? scan.kinds[at]! : 0;
      // The end of letters in a row: has it hidden a term that does not begin it?
      if (kind !== kinds.letter && wordFrom >= 0) {
        if (at - wordFrom > 4 && at - wordFrom <= joinedMax) searchWithin(wordFrom, at, found);
        wordFrom = -1;
      }
      if (at === scan.count) break;
      if (kind === kinds.letter && wordFrom < 0) wordFrom = at;
      if (spare < stepsSpare) spare += stepsPerPlace;
      const start = startOf(scan, at);
      if (start === 'none') continue;
      from = at;
      if (spare <= 0 && (spare < -debtMax || (kind !== kinds.letter && kind !== kinds.otherLetter))) continue;
      tight = start === 'tight' || spare <= 0;
      best = undefined;
      innocentTo = 0;
      const allowed = tight ? stepsLeast : Math.max(stepsLeast, Math.min(stepsPerStart, spare));
      steps = allowed;
      walk(0, at, -1, 0, 0, 0, 0, 0, true);
      spare -= allowed - steps;
      const reading = best as Reading | undefined;
      if (!reading) continue;
      const [first, to] = wholeWord(scan, at, reading.to);
      const label = labelOf(reading.spelling.entry, first, to);
      const isMild = label.name === 'slur' && isReclaimed(scan, first);
      found.push(isMild ? { ...label, score: reclaimedScore } : label);
      at = to - 1;
      wordFrom = -1;
    }
  }

  function searchWithin(wordStart: number, end: number, found: Label[]): void {
    if (isBorrowedWord(scan, wordStart, end)) return;
    for (let at = wordStart; at + 3 < end; at++) {
      const value = longestWithin(at, end);
      if (value < 0) continue;
      const { entry, length } = spellings[value]!;
      const before = String.fromCharCode(...scan.codes.subarray(wordStart, at));
      const word = String.fromCharCode(...scan.codes.subarray(wordStart, end));
      if (innocent.has(word) || known.has(word)) return;
      const to = at + length;
      const after = String.fromCharCode(...scan.codes.subarray(withinEnd, end));
      if (before === '' && after === '') continue;
      const joined = isWordsInRow(before, known) && isWordsInRow(after.replace(/^s(?=.)|^s$/, ''), known);
      if (!entry.inside && (!joined || isWordsInRow(word, known))) continue;
      if (entry.inside && to - at < 4) continue;
      found.push(labelOf(entry, wordStart, end));
      return;
    }
  }

  let withinEnd = 0;

  /** The longest term that begins here, letters may be repeated; -1 is none. */
  function longestWithin(start: number, end: number): number {
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
        withinEnd = at + 1;
      }
    }
    return value;
  }

  function labelOf({ name, score, term }: TermEntry, first: number, to: number): Label {
    let start = text.length;
    let end = 0;
    // An override or a turned line may have put the places in any order.
    for (let at = first; at < to; at++) {
      start = Math.min(start, scan.starts[at]!);
      end = Math.max(end, scan.ends[at]!);
    }
    return { name, score, start, end, matched: text.slice(start, end), id: `term:${term}` };
  }

  return (normalised, original) => {
    text = original;
    scan = fillScan(scan, normalised, text);
    const found: Label[] = [];
    search(found);
    // Lines that are meant to be read the other way round.
    if (text.includes(override)) {
      showOverrides(scan, text);
      search(found);
    }
    if (turnedSign.test(text)) {
      scan = fillScan(scan, normalised, text);
      turnScan(scan);
      search(found);
      reverseScan(scan, 0, scan.count);
      search(found);
    }
    text = '';
    return withoutOverlaps(found);
  };
}

function withoutOverlaps(labels: readonly Label[]): Label[] {
  const sorted = [...labels].sort((left, right) => left.start - right.start || right.end - left.end);
  const kept: Label[] = [];
  for (const label of sorted) if (label.start >= (kept.at(-1)?.end ?? 0)) kept.push(label);
  return kept;
}
