/**
 * Learning from moderators: a correction on top of the shipped model, made anew from the stored examples, so that taking an
 * example back takes its effect back.
 *
 * Guards. Every example moves the model a bounded way, and older ones less. One moderator alone carries at most half of the
 * weight once there are several. Ordinary chat and the spam of old are learned again beside the examples (replay), so that
 * neither grows louder nor is forgotten; and the threshold is set anew on ordinary chat that was not learned again,
 * so that false alarms stay where they are stated. Traffic that nobody looked at is no ham to fit to: a wave would hide in it.
 */
import { type Learned, type Model, rawOf, unlearned } from './classifier.ts';
import { buckets, createExtractor, type Features } from './features.ts';
import type { Normalised } from './normalise.ts';
import { shapeNames } from './text-shape.ts';

export interface LearnedExample {
  readonly text: string;
  readonly spam: boolean;
  readonly moderatorId: string;
}

/** What must stay as it is: ordinary chat quiet, known spam loud. */
export interface Replay {
  readonly ham: readonly string[];
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
const passes = 10;
const rate = 0.5;
/** Pulls corrections back towards nothing, each pass. */
const decay = 0.003;
/** Weight of an example halves with this many newer ones. */
const halfLife = 1000;
const moderatorShareMax = 0.5;
/** How far one weight may be corrected, in log-odds before the norm. */
const deltaMax = 12;
/** Examples are pushed this far beyond the threshold, replayed texts are kept this far on their side. */
const margin = 2;
/** Share of ordinary chat that may be above the threshold after learning: what the shipped one was set to. */
const falseAlarms = 0.0003;

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
  // One half is learned again, the other half says where the threshold is: on what was learned it would look too low.
  const quiet = replay.ham.filter((_, at) => at % 2 === 0).map(see);
  const measured = replay.ham.filter((_, at) => at % 2 === 1).map(see);
  const loud = replay.spam.map(see).filter(({ raw }) => raw > 0);
  const known = new Map<string, Seen>();
  // Reused: making them anew takes longer than learning.
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
      const weights = weigh(examples);
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
      const step = (each: Seen, target: 1 | 0, weight: number): void => {
        const value = each.raw + correctionOf(each) + (target === 1 ? -margin : margin);
        const error = (1 / (1 + Math.exp(-value)) - target) * weight;
        if (Math.abs(error) < 0.01) return;
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
        for (let at = 0; at < shape.length; at++) shape[at]! -= 0.05 * error * each.shape[at]!;
        bias -= 0.02 * error;
      };

      for (let pass = 0; pass < passes; pass++) {
        for (const [at, each] of seen.entries()) step(each, examples[at]!.spam ? 1 : 0, weights[at]!);
        // Only what the correction brought near the threshold has anything to say.
        for (const each of quiet) if (each.raw + correctionOf(each) > -margin) step(each, 0, 1);
        for (const each of loud) if (each.raw + correctionOf(each) < margin / 2) step(each, 1, 0.5);
      }

      // By as much as the loudest of the sample rose. Labels have no say in it: one moderator could silence the filter with them.
      const rise = loudest(measured, (each) => each.raw + correctionOf(each)) - loudest(measured, (each) => each.raw);
      const pivot = base.pivot + Math.max(0, rise);
      const learned = apply(base, { touched, delta, shape, bias, pivot, version });
      for (const bucket of touched) {
        delta[bucket] = 0;
        squares[bucket] = 0;
      }
      return learned;
    },
  };
}

function weigh(examples: readonly LearnedExample[]): number[] {
  const weights = examples.map((_, index) => 0.5 ** ((examples.length - 1 - index) / halfLife));
  const total = weights.reduce((sum, each) => sum + each, 0);
  const byModerator = new Map<string, number>();
  for (const [index, { moderatorId }] of examples.entries())
    byModerator.set(moderatorId, (byModerator.get(moderatorId) ?? 0) + weights[index]!);
  if (byModerator.size < 2) return weights;
  return weights.map(
    (weight, index) =>
      weight * Math.min(1, (total * moderatorShareMax) / byModerator.get(examples[index]!.moderatorId)!),
  );
}

/** The value that the stated share of texts is above. */
function loudest(texts: readonly Seen[], oddsOf: (seen: Seen) => number): number {
  if (texts.length === 0) return 0;
  const values = texts.map(oddsOf).sort((left, right) => right - left);
  return values[Math.floor(values.length * falseAlarms)]!;
}

function apply(
  base: Learned,
  {
    touched,
    delta,
    shape,
    bias,
    pivot,
    version,
  }: {
    touched: readonly number[];
    delta: Float32Array;
    shape: Float64Array;
    bias: number;
    pivot: number;
    version: string;
  },
): Learned {
  const weights = new Int16Array(new SharedArrayBuffer(base.weights.byteLength));
  weights.set(base.weights);
  for (const bucket of touched) {
    const corrected = weights[bucket]! + Math.round(delta[bucket]! / base.unit);
    weights[bucket] = Math.max(-32_767, Math.min(32_767, corrected));
  }
  return {
    version,
    weights,
    unit: base.unit,
    shape: base.shape.map((each, at) => each + shape[at]!),
    bias: base.bias + bias,
    pivot,
  };
}
