/**
 * Finds offensive words, however they are spelled. From each place where a word may begin, `term-walk.ts` walks the text
 * through a tree of all terms with every reading of its characters at once; `reading-choice.ts` keeps the best of what it
 * finds, by the rules of `term-acceptance.ts`. Terms live in `data/moderation/artefacts/terms.json`, none in the code.
 * Linear in the length of the text: each place has a bounded number of steps.
 */

import type { Label } from '../text/label.ts';
import type { Normalised } from '../text/normalise.ts';
import { createInnerTermFinder, type InnerTermFinder } from './inner-terms.ts';
import { createReadingChoice, type ReadingChoice } from './reading-choice.ts';
import { startOf } from './term-acceptance.ts';
import { compileTerms } from './term-compile.ts';
import { createTermContext, isReclaimed, type TermContext } from './term-context.ts';
import { wholeWord } from './term-edges.ts';
import type { TermEntry, TermLists } from './term-lists.ts';
import { createReadings, turnedSign } from './term-readings.ts';
import { createScan, fillScan, kinds, reverseScan, type Scan, showOverrides, turnScan } from './term-scan.ts';
import { createTermWalk, createWalkState, type TermWalk, type WalkState } from './term-walk.ts';

export type { TermEntry, TermLists } from './term-lists.ts';

/**
 * @returns labels with spans in UTF-16 units of `text`, in the order of the text, none within another. Pure; not reentrant.
 */
export type TermMatcher = (normalised: Normalised, text: string) => Label[];

/** Steps of the walk from one place. Disguises that people use need a tenth of them. */
const stepsPerStart = 1000;
/**
 * The step budget of a text: what it begins with, and what each place adds. Ordinary text takes one step per place. A text
 * made to use the budget up is searched closely again after some ordinary places.
 */
const budgetMax = 3000;
const budgetPerPlace = 2;
/** With no budget left, a word is searched only as it is written, with this many steps; below `-debtMax` not at all. */
const stepsLeast = 24;
const debtMax = 2000;
const labelsMax = 100;
/** Score of a slur used among those it is aimed at: reviewed, not blocked. */
const reclaimedScore = 0.4;
const override = '\u202e';

/**
 * Compiles lists into a matcher; takes milliseconds for a few thousand words. Words are folded as texts are, so the words of a
 * deployment (`lists` with other `terms`) are found in the same disguises.
 */
export function createTermMatcher(lists: TermLists, normalise: (text: string) => Normalised): TermMatcher {
  const { trie, inner, spellings, forms } = compileTerms(lists.terms, normalise);
  const known = new Set(lists.words.split(' '));
  const innocent = new Set(lists.innocent.split(' '));
  const words = { common: known, known: new Set([...known, ...lists.pieces.split(' ')]), innocent, forms };
  const context = createTermContext(lists.markers);
  const state = createWalkState(createScan());
  const choice = createReadingChoice(state, { spellings, words, context });
  const walk = createTermWalk(state, trie, createReadings(lists.readings), choice.offer);
  const findInner = createInnerTermFinder({ inner, spellings, known, innocent });
  const search = createSearch({ state, walk, choice, context, findInner });

  return (normalised, text) => {
    state.scan = fillScan(state.scan, normalised, text);
    const found: Label[] = [];
    search(text, found);
    if (text.includes(override)) {
      showOverrides(state.scan, text);
      search(text, found);
    }
    // Upside-down letters are meant to be read with the line turned, so in both directions.
    if (turnedSign.test(text)) {
      state.scan = fillScan(state.scan, normalised, text);
      turnScan(state.scan);
      search(text, found);
      reverseScan(state.scan, 0, state.scan.count);
      search(text, found);
    }
    return withoutOverlaps(found);
  };
}

interface SearchParts {
  readonly state: WalkState;
  readonly walk: TermWalk;
  readonly choice: ReadingChoice;
  readonly context: TermContext;
  readonly findInner: InnerTermFinder;
}

/** Goes over all places of a scan and shares the step budget out among the walks. */
function createSearch({ state, walk, choice, context, findInner }: SearchParts) {
  let budget = 0;

  /** Searches the scan in `state` and adds labels to `found`. */
  return function search(text: string, found: Label[]): void {
    const { scan } = state;
    context.begin();
    walk.begin();
    budget = budgetMax;
    // Where the row of letters in progress begins; -1 is none.
    let lettersFrom = -1;
    for (let at = 0; at <= scan.count && found.length < labelsMax; at++) {
      const kind = at < scan.count ? scan.kinds[at]! : 0;
      if (kind !== kinds.letter && lettersFrom >= 0) {
        const entry = findInner(scan, lettersFrom, at);
        if (entry) found.push(labelOf(entry, scan, text, lettersFrom, at));
        lettersFrom = -1;
      }
      if (at === scan.count) break;
      if (kind === kinds.letter && lettersFrom < 0) lettersFrom = at;
      if (budget < budgetMax) budget += budgetPerPlace;
      const reading = walkFrom(at);
      if (!reading) continue;
      const [first, to] = wholeWord(scan, at, reading.to);
      const label = labelOf(reading.spelling.entry, scan, text, first, to);
      const isMild = label.name === 'slur' && isReclaimed(scan, first);
      found.push(isMild ? { ...label, score: reclaimedScore } : label);
      at = to - 1;
      lettersFrom = -1;
    }
  };

  /** The best reading that begins at `at`, if a word may begin there and there is budget to look. */
  function walkFrom(at: number) {
    const start = startOf(state.scan, at);
    if (start === 'none') return undefined;
    const kind = state.scan.kinds[at]!;
    if (budget <= 0 && (budget < -debtMax || (kind !== kinds.letter && kind !== kinds.otherLetter))) return undefined;
    state.from = at;
    state.isTight = start === 'tight' || budget <= 0;
    const allowed = state.isTight ? stepsLeast : Math.max(stepsLeast, Math.min(stepsPerStart, budget));
    state.steps = allowed;
    choice.begin();
    walk.walkFrom();
    budget -= allowed - state.steps;
    return choice.best();
  }
}

function labelOf({ name, score, term }: TermEntry, scan: Scan, text: string, first: number, to: number): Label {
  let start = text.length;
  let end = 0;
  // An override or a turned line may have put the places in any order.
  for (let at = first; at < to; at++) {
    start = Math.min(start, scan.starts[at]!);
    end = Math.max(end, scan.ends[at]!);
  }
  return { name, score, start, end, matched: text.slice(start, end), id: `term:${term}` };
}

function withoutOverlaps(labels: readonly Label[]): Label[] {
  const sorted = [...labels].sort((left, right) => left.start - right.start || right.end - left.end);
  const kept: Label[] = [];
  for (const label of sorted) if (label.start >= (kept.at(-1)?.end ?? 0)) kept.push(label);
  return kept;
}
