/**
 * Learns from moderators' decisions: computes a correction of the shipped model from all stored examples, so that revoking an
 * example removes its effect.
 *
 * Guards against mistakes and abuse:
 * - Each example moves the model by a bounded amount, older ones by less.
 * - One moderator has at most half of the weight if there are two, a third if there are more.
 * - Ordinary chat and known spam are trained again beside the examples (replay), so neither drifts.
 * - The threshold rises as far as ordinary chat rises that no model was trained on, so false alarms keep their stated rate.
 * - If known spam is lost, all corrections are weakened.
 * - Traffic that nobody reviewed is never used as ham: a spam wave would hide in it.
 */

import type { Normalised } from '../text/normalise.ts';
import { shapeNames } from '../text/text-shape.ts';
import { type Learned, type Model, rawOf, unlearned } from './classifier.ts';
import { buckets, type Features } from './feature-set.ts';
import { createExtractor } from './features.ts';

export interface LearnedExample {
  readonly text: string;
  readonly spam: boolean;
  readonly moderatorId: string;
}

/** Texts whose scores must stay as they are: ordinary chat low, known spam high. */
export interface Replay {
  /** Ordinary chat that is trained again. */
  readonly ham: readonly string[];
  /** Ordinary chat that no model was trained on. It only measures. */
  readonly measured: readonly string[];
  readonly spam: readonly string[];
}

export interface LearnerOptions {
  readonly model: Model;
  readonly normalise: (text: string) => Normalised;
  readonly replay: Replay;
}

export interface Learner {
  /** @param examples oldest first; the caller bounds their number */
  readonly learn: (examples: readonly LearnedExample[], version: string) => Learned;
}

/** Passes over the examples, and over the replayed texts beside them. */
const passes = 8;
const rate = 0.5;
/** Pulls corrections towards zero in each pass. */
const decay = 0.003;
/** The weight of an example halves with this many newer ones. */
const halfLife = 1000;
const shareMax = { ofTwo: 1 / 2, ofMore: 1 / 3 } as const;
/** Largest correction of one weight, in log-odds before the norm. */
const deltaMax = 12;
/** Examples are pushed this far beyond the threshold, and ordinary chat is kept this far below it. */
const margin = 6;
const quietMargin = 4;
/** The highest-scoring replayed chat is trained in each pass, of the rest one text in `turns`. */
const closelyWatched = 800;
const turns = 5;
/** The threshold rises as far as this share of ordinary chat, the highest-scoring, rises on average. */
const falseAlarms = 0.002;
/** It rises by this factor more, because the measuring lines are few and are scored here without their stretches. */
const headroom = 1.2;
/** Known spam that sinks is lifted at this rate, unless it is further than `sureAt` above the threshold. */
const holdRate = 1.2;
const sureAt = 6;
/** Texts that no correction is likely to bring near the threshold are left out of the passes. */
const outOfReach = 8;
/** Learning rates of the shape and of the bias, which change the scores of all texts at once. */
const shapeRate = 0.08;
const biasRate = 0.02;
/**
 * Share of known spam that learning may lose, measured at the threshold and this far above it. If it loses more, corrections are
 * weakened. The second level is there because the weights were trained on that spam: other spam sinks earlier.
 */
const lossMax = 0.03;
const lossLevels = [0, 2] as const;
const strengths = [1, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1] as const;

interface Seen {
  readonly hashed: Uint32Array;
  readonly shape: Float32Array;
  /** Before any correction. */
  readonly raw: number;
  readonly norm: number;
}

export function createLearner({ model, normalise, replay }: LearnerOptions): Learner {
  const base = unlearned(model);
  const extract = createExtractor(model.lexicon);
  const see = (text: string): Seen => {
    const features: Features = extract(normalise(text), text);
    const { hashed, count, shape } = features;
    return {
      hashed: hashed.slice(0, count),
      shape: shape.slice(),
      raw: rawOf(features, base) - base.pivot,
      norm: 1 / Math.sqrt(Math.max(4, count)),
    };
  };
  const quiet = replay.ham
    .map(see)
    .filter(({ raw }) => raw > -quietMargin - outOfReach)
    .sort((left, right) => right.raw - left.raw);
  const measured = replay.measured.map(see);
  const loudestBefore = loudest(measured.map(({ raw }) => raw));
  const spam = replay.spam.map(see).filter(({ raw }) => raw > 0);
  // As with chat, one half is only for measuring.
  const loud = spam.filter(({ raw }, at) => at % 2 === 0 && raw < sureAt + outOfReach);
  const kept = spam.filter((_, at) => at % 2 === 1);
  const known = new Map<string, Seen>();
  // Reused, because allocating them takes longer than learning.
  const delta = new Float32Array(buckets);
  const squares = new Float32Array(buckets);

  function seenOf(examples: readonly LearnedExample[]): Seen[] {
    const seen = examples.map(({ text }) => known.get(text) ?? see(text));
    known.clear();
    for (const [at, { text }] of examples.entries()) known.set(text, seen[at]!);
    return seen;
  }

  return {
    learn: (examples, version) => {
      if (examples.length === 0) return { ...base, version };
      const weights = shareOut(examples);
      const seen = seenOf(examples);
      const shape = new Float64Array(shapeNames.length);
      const touched: number[] = [];
      let bias = 0;

      const correctionOf = ({ hashed, shape: values, norm }: Seen): number => {
        let sum = 0;
        for (let at = 0; at < hashed.length; at++) sum += delta[hashed[at]!]!;
        let value = sum * norm + bias;
        for (let at = 0; at < shape.length; at++) value += shape[at]! * values[at]!;
        return value;
      };
      const move = (each: Seen, error: number): void => {
        for (let at = 0; at < each.hashed.length; at++) {
          const bucket = each.hashed[at]!;
          if (squares[bucket] === 0) {
            squares[bucket] = 0.02;
            touched.push(bucket);
          }
          const gradient = error * each.norm + decay * delta[bucket]!;
          squares[bucket]! += gradient * gradient;
          const next = delta[bucket]! - (rate * gradient) / Math.sqrt(squares[bucket]!);
          delta[bucket] = Math.max(-deltaMax, Math.min(deltaMax, next));
        }
        for (let at = 0; at < shape.length; at++) shape[at]! -= shapeRate * error * each.shape[at]!;
        bias -= biasRate * error;
      };
      /** Moves a text towards its side of the threshold. */
      const step = (each: Seen, target: 1 | 0, weight: number, margin: number): void => {
        const value = each.raw + correctionOf(each) + (target === 1 ? -margin : margin);
        const error = (1 / (1 + Math.exp(-value)) - target) * weight;
        if (Math.abs(error) >= 0.01) move(each, error);
      };
      /** Lifts known spam that has sunk back to where it was. */
      const hold = (each: Seen): void => {
        const correction = correctionOf(each);
        if (correction < -0.05 && each.raw + correction < sureAt) move(each, -holdRate * Math.min(1, -correction));
      };

      for (let pass = 0; pass < passes; pass++) {
        for (const [at, each] of seen.entries()) step(each, examples[at]!.spam ? 1 : 0, weights[at]!, margin);
        // Only chat that the corrections brought near the threshold is trained.
        for (const [at, each] of quiet.entries())
          if ((at < closelyWatched || at % turns === pass % turns) && each.raw + correctionOf(each) > -quietMargin)
            step(each, 0, 1, quietMargin);
        for (const each of loud) hold(each);
      }

      // Labels do not move the threshold: one moderator could silence the filter with them.
      const chatBy = measured.map(correctionOf);
      const keptBy = kept.map(correctionOf);
      const riseAt = (strength: number): number =>
        headroom * Math.max(0, loudest(measured.map(({ raw }, at) => raw + strength * chatBy[at]!)) - loudestBefore);
      const lossAt = (strength: number): number => {
        const rise = riseAt(strength);
        const lost = lossLevels.map((level) => {
          const before = kept.filter(({ raw }) => raw >= level).length;
          return before - kept.filter(({ raw }, at) => raw + strength * keptBy[at]! - rise >= level).length;
        });
        return Math.max(...lost) / Math.max(1, kept.length);
      };
      const strength = strengths.find((each) => lossAt(each) <= lossMax) ?? 0;
      const pivot = base.pivot + riseAt(strength);
      const learned = apply(base, { touched, delta, shape, bias, strength, pivot, version });
      for (const bucket of touched) {
        delta[bucket] = 0;
        squares[bucket] = 0;
      }
      return learned;
    },
  };
}

/** The weight of each example, oldest first: less with age, and bounded per moderator. */
export function shareOut(examples: readonly Pick<LearnedExample, 'moderatorId'>[]): number[] {
  const weights = examples.map((_, index) => 0.5 ** ((examples.length - 1 - index) / halfLife));
  const total = weights.reduce((sum, each) => sum + each, 0);
  const byModerator = new Map<string, number>();
  for (const [index, { moderatorId }] of examples.entries())
    byModerator.set(moderatorId, (byModerator.get(moderatorId) ?? 0) + weights[index]!);
  if (byModerator.size < 2) return weights;
  const most = total * (byModerator.size === 2 ? shareMax.ofTwo : shareMax.ofMore);
  return weights.map((weight, index) => weight * Math.min(1, most / byModerator.get(examples[index]!.moderatorId)!));
}

/** The mean of the highest values, of the share `falseAlarms`. */
function loudest(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const descending = Float64Array.from(values)
    .sort()
    .reverse()
    .subarray(0, Math.ceil(values.length * falseAlarms));
  return descending.reduce((sum, each) => sum + each, 0) / descending.length;
}

function apply(
  base: Learned,
  {
    touched,
    delta,
    shape,
    bias,
    strength,
    pivot,
    version,
  }: {
    touched: readonly number[];
    delta: Float32Array;
    shape: Float64Array;
    bias: number;
    strength: number;
    pivot: number;
    version: string;
  },
): Learned {
  const weights = new Int16Array(new SharedArrayBuffer(base.weights.byteLength));
  weights.set(base.weights);
  for (const bucket of touched) {
    const corrected = weights[bucket]! + Math.round((strength * delta[bucket]!) / base.unit);
    weights[bucket] = Math.max(-32_767, Math.min(32_767, corrected));
  }
  return {
    version,
    weights,
    unit: base.unit,
    shape: base.shape.map((each, at) => each + strength * shape[at]!),
    bias: base.bias + strength * bias,
    pivot,
  };
}
