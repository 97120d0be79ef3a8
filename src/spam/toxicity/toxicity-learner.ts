/**
 * Learns from moderators what is hostile in their rooms: computes corrections of the shipped toxicity model from all stored
 * examples, so that revoking one removes its effect. Guarded like spam (`learner.ts`): corrections and each moderator's share
 * are bounded, and the threshold rises as far as ordinary chat does. Listed words are found whatever was learned.
 */
import { type LearnedExample, type Replay, shareOut } from '../classifier/learner.ts';
import type { TermMatcher } from '../terms/terms.ts';
import type { Normalised } from '../text/normalise.ts';
import {
  createToxicityExtractor,
  type LearnedToxicity,
  normOf,
  rawToxicity,
  type ToxicityModel,
  toxicityBuckets,
  unlearnedToxicity,
} from './toxicity.ts';

/** A moderator's decision whether a text is offensive. */
export type OffenceExample = Pick<LearnedExample, 'text' | 'moderatorId'> & { readonly offensive: boolean };

export interface ToxicityLearner {
  /** @param examples oldest first; the caller bounds their number */
  readonly learn: (examples: readonly OffenceExample[], version: string) => LearnedToxicity;
}

export interface ToxicityLearnerOptions {
  readonly model: ToxicityModel;
  readonly normalise: (text: string) => Normalised;
  readonly terms: TermMatcher;
  readonly replay: Pick<Replay, 'ham' | 'measured'>;
}

const passes = 10;
const rate = 0.3;
/** Largest correction of one weight, in log-odds before the norm. */
const deltaMax = 3;
/** Examples are pushed this far beyond the threshold, and ordinary chat is kept this far below it. */
const margin = 1.5;
const quietMargin = 1;
/** The threshold rises as far as this share of ordinary chat, the highest-scoring, rises on average. */
const falseAlarms = 0.006;

interface Seen {
  readonly buckets: readonly number[];
  /** Log-odds above the threshold, before any correction. */
  readonly raw: number;
  readonly norm: number;
}

export function createToxicityLearner({ model, normalise, terms, replay }: ToxicityLearnerOptions): ToxicityLearner {
  const base = unlearnedToxicity(model);
  const extract = createToxicityExtractor(model);
  const see = (text: string): Seen => {
    const normalised = normalise(text);
    const { buckets } = extract(normalised, terms(normalised, text));
    return { buckets, raw: rawToxicity(base, buckets) - base.pivot, norm: 1 / normOf(buckets.length) };
  };
  const quiet = replay.ham.map(see).filter(({ raw }) => raw > -quietMargin - deltaMax);
  const measured = replay.measured.map(see);
  const loudestBefore = loudest(measured.map(({ raw }) => raw));

  return {
    learn: (examples, version) => {
      const weights = shareOut(examples);
      const seen = examples.map(({ text }) => see(text));
      const delta = new Float32Array(toxicityBuckets);
      const squares = new Float32Array(toxicityBuckets).fill(0.02);
      const correctionOf = ({ buckets, norm }: Seen): number => {
        let sum = 0;
        for (const bucket of buckets) sum += delta[bucket]!;
        return sum * norm;
      };
      const step = (each: Seen, target: 1 | 0, weight: number, beyond: number): void => {
        const value = each.raw + correctionOf(each) + (target === 1 ? -beyond : beyond);
        const gradient = (1 / (1 + Math.exp(-value)) - target) * weight * each.norm;
        if (Math.abs(gradient) < 0.001) return;
        for (const bucket of each.buckets) {
          squares[bucket]! += gradient * gradient;
          const next = delta[bucket]! - (rate * gradient) / Math.sqrt(squares[bucket]!);
          delta[bucket] = Math.max(-deltaMax, Math.min(deltaMax, next));
        }
      };
      // Without examples the result is the shipped model, also for ordinary chat near the threshold.
      for (let pass = 0; examples.length > 0 && pass < passes; pass++) {
        for (const [at, each] of seen.entries()) step(each, examples[at]!.offensive ? 1 : 0, weights[at]!, margin);
        for (const each of quiet) if (each.raw + correctionOf(each) > -quietMargin) step(each, 0, 1, quietMargin);
      }
      const rise = loudest(measured.map((each) => each.raw + correctionOf(each))) - loudestBefore;
      const hashed = new Int16Array(new SharedArrayBuffer(base.hashed.byteLength));
      for (let bucket = 0; bucket < toxicityBuckets; bucket++) {
        const corrected = base.hashed[bucket]! + Math.round(delta[bucket]! / base.scale);
        hashed[bucket] = Math.max(-32_767, Math.min(32_767, corrected));
      }
      return { ...base, version, hashed, pivot: base.pivot + Math.max(0, rise) };
    },
  };
}

/** The mean of the highest values, of the share `falseAlarms`. */
function loudest(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const first = [...values].sort((left, right) => right - left).slice(0, Math.ceil(values.length * falseAlarms));
  return first.reduce((sum, each) => sum + each, 0) / first.length;
}
