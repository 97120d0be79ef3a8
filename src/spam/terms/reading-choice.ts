/**
 * Chooses among the readings that a walk offers from one place: the longest one that people would read, in the least disguise.
 * Judging a reading costs steps of the walk, so a text made of near-matches cannot take more time than another.
 */
import { type AcceptanceWords, isDeliberate, isRead, type Reading, type Spelling } from './term-acceptance.ts';
import type { TermContext } from './term-context.ts';
import type { WalkState } from './term-walk.ts';

export interface ReadingChoice {
  /** Forgets the readings of the place before. */
  readonly begin: () => void;
  /** Considers the spelling that was read from `state.from` to `to`, in the disguise that `state` holds. */
  readonly offer: (spellingAt: number, to: number) => void;
  readonly best: () => Reading | undefined;
}

export interface ReadingChoiceOptions {
  readonly spellings: readonly Spelling[];
  readonly words: AcceptanceWords;
  readonly context: TermContext;
}

/** Steps that it costs to judge how a reading is spelled, and to look at the words around it. */
const stepsPerReading = 8;
const stepsPerSense = 32;

export function createReadingChoice(
  state: WalkState,
  { spellings, words, context }: ReadingChoiceOptions,
): ReadingChoice {
  let best: Reading | undefined;
  let bestCost = 0;
  /** Where a reading ended that was found to be innocent: other spellings that end there are not considered. */
  let innocentTo = 0;

  function offer(spellingAt: number, to: number): void {
    const spelling = spellings[spellingAt]!;
    const { scan, from, isTight, gaps, spaces, hardMasks, softMasks, leets, swaps } = state;
    const cost = leets + swaps + hardMasks + softMasks + (spelling.variant ? 1 : 0);
    if (to === innocentTo) return;
    if (best && (to < best.to || (to === best.to && cost >= bestCost))) return;
    const reading: Reading = { spelling, from, to, gaps, spaces, hardMasks, softMasks, leets, swaps, isTight };
    state.steps -= stepsPerReading;
    if (!isRead(reading, scan, words)) return;
    const { kind, senses, foreign, name } = spelling.entry;
    if (kind === 'ambiguous' || senses || foreign || name === 'slur') {
      state.steps -= stepsPerSense;
      if (!context.isMeant(reading, scan, isDeliberate(reading, scan))) {
        innocentTo = to;
        return;
      }
    }
    best = reading;
    bestCost = cost;
  }

  return {
    begin: () => {
      best = undefined;
      innocentTo = 0;
    },
    offer,
    best: () => best,
  };
}
