/**
 * Logistic regression over sparse and dense features. The score is a probability set so that the shipped thresholds mean
 * what they say: at `pivotScore`, where flagging begins, a stated share of ordinary chat is.
 */
import { buckets, createExtractor, type Extractor, type Features, type Lexicon, unitsMax } from './features.ts';
import type { Normalised } from './normalise.ts';
import { shapeNames } from './text-shape.ts';

export interface Model {
  /** Names the training. */
  readonly version: string;
  /** One byte per bucket; times `scale` it is the weight. */
  readonly hashed: Int8Array;
  readonly scale: number;
  readonly shape: readonly number[];
  readonly bias: number;
  /** Weights of the shape alone, for texts in scripts that the model cannot read. */
  readonly foreignShape: readonly number[];
  readonly foreignBias: number;
  /** Log-odds at which ordinary chat is at the stated false-alarm rate, and what one unit beyond is worth. */
  readonly pivot: number;
  readonly slope: number;
  readonly lexicon: Lexicon;
}

/** What moderators taught, on top of a model. May lie in memory that threads share. */
export interface Learned {
  /** Names the examples and the model it was made on. */
  readonly version: string;
  /** Corrected weights of all buckets, in units of `unit`. */
  readonly weights: Int16Array;
  readonly unit: number;
  readonly shape: readonly number[];
  readonly bias: number;
  readonly pivot: number;
}

export interface Classifier {
  /** Names the model and what was learned on top of it. */
  readonly version: string;
  /** 0 to 1; below `opinionMax` where the model cannot read the text. */
  readonly score: (normalised: Normalised, original: string) => number;
}

/** Score at the pivot: the shipped threshold for flagging. */
export const pivotScore = 0.8;
/** Below this share of Latin and Cyrillic letters the model cannot read a text. */
const knownMin = 0.5;
/** And below this one there is something in it that it cannot read: readable lines around it do not hide that. */
const wellKnown = 0.9;
/** A text that cannot be read is never flagged for its shape alone. */
export const opinionMax = pivotScore - 0.01;
/** What is written in Han characters is flagged at most, never blocked: the model has seen little of their everyday. */
const hanMax = 0.94;
/**
 * So few words with nowhere to go prove nothing: the name of a room, the number of an order. They rank by their score, below
 * flagging.
 */
const fewTokens = 3;
const contacts = (['links', 'phones', 'handles', 'emails', 'spelled', 'leet'] as const).map((name) =>
  shapeNames.indexOf(name),
);
/** What is suspicious in it ranks among the suspicious, though below flagging: its weights were set among readable texts. */
const foreignLift = 2;
/** Weights in memory are this much finer than on disk, so that corrections are not rounded away. */
export const finer = 64;
/** Fewer features than this count as this many: a single word is no proof. */
export const featuresMin = 4;
/**
 * Ordinary lines around a spam do not hide it: its loudest stretch counts as well. Stretches of so many words each, by so
 * many words apart; less a little, and more the more stretches there are, for of many one is loud by chance. Measured on
 * padded spam against long letters: recall of padded spam 0.82 of the plain at an F1 of 0.95 on mail.
 */
const stretches = [
  { tokens: 9, step: 3 },
  { tokens: 18, step: 6 },
] as const;
const stretchPenalty = 0.5;
const chancePenalty = 0.6;
/** A stretch has a share of the shape of its text. */
const shapeShare = 0.7;

/** The weights as a classifier uses them, without anything learned. */
export function unlearned(model: Model): Learned {
  const { version, hashed, scale, shape, bias, pivot } = model;
  const weights = new Int16Array(buckets);
  for (let bucket = 0; bucket < buckets; bucket++) weights[bucket] = hashed[bucket]! * finer;
  return { version, weights, unit: scale / finer, shape, bias, pivot };
}

/** @throws Error when the model is of another build */
export function createClassifier(model: Model, learned: Learned = unlearned(model), extract?: Extractor): Classifier {
  if (model.hashed.length !== buckets || model.shape.length !== shapeNames.length)
    throw new Error(`the model ${model.version} is of another shape`);
  const see = extract ?? createExtractor(model.lexicon);
  const { slope, foreignShape, foreignBias } = model;
  const pivotOdds = Math.log(pivotScore / (1 - pivotScore));

  function scorePart(normalised: Normalised, original: string): number {
    const features = see(normalised, original);
    if (features.count === 0) return 0;
    // Below flagging, and never more for the readable lines around it.
    const unread =
      features.known < wellKnown
        ? opinionMax * squash(dot(features.shape, foreignShape) + foreignBias + foreignLift)
        : 0;
    if (features.known < knownMin) return unread;
    const read = squash(pivotOdds + (rawOf(features, learned) - learned.pivot) * slope);
    const score = features.han ? Math.min(hanMax, read) : read;
    return features.tokens <= fewTokens && contacts.every((at) => features.shape[at] === 0)
      ? opinionMax * score
      : Math.max(score, unread);
  }

  return {
    version: learned.version,
    score: (normalised, original) => {
      if (normalised.folded.length <= unitsMax) return scorePart(normalised, original);
      // Long texts are as loud as their loudest part.
      let loudest = 0;
      for (const part of partsOf(normalised, original))
        loudest = Math.max(loudest, scorePart(part.normalised, part.original));
      return loudest;
    },
  };
}

const sums = new Float64Array(4096);
const counts = new Float64Array(4096);

/** Log-odds before calibration. */
export function rawOf(features: Features, { weights, unit, shape, bias }: Learned): number {
  const { hashed, tokenOf, count, tokens } = features;
  const shaped = dot(features.shape, shape);
  if (tokens <= stretches[0].tokens + stretches[0].step || tokens >= sums.length) {
    let sum = 0;
    for (let at = 0; at < count; at++) sum += weights[hashed[at]!]!;
    return bias + shaped + (sum * unit) / Math.sqrt(Math.max(featuresMin, count));
  }
  sums.fill(0, 0, tokens + 1);
  counts.fill(0, 0, tokens + 1);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const weight = weights[hashed[at]!]!;
    sum += weight;
    const token = Math.min(tokenOf[at]!, tokens);
    sums[token]! += weight;
    counts[token]!++;
  }
  const whole = bias + shaped + (sum * unit) / Math.sqrt(Math.max(featuresMin, count));
  let loudest = Number.NEGATIVE_INFINITY;
  let number = 0;
  for (const { tokens: length, step } of stretches)
    for (let start = 0; start + length <= tokens; start += step) {
      let part = 0;
      let size = 0;
      for (let token = start; token < start + length; token++) {
        part += sums[token]!;
        size += counts[token]!;
      }
      number++;
      loudest = Math.max(loudest, (part * unit) / Math.sqrt(Math.max(featuresMin, size)));
    }
  const penalty = stretchPenalty + chancePenalty * Math.log(Math.max(1, number));
  return Math.max(whole, bias + shaped * shapeShare + loudest - penalty);
}

function dot(values: Float32Array, weights: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at++) sum += weights[at]! * values[at]!;
  return sum;
}

function squash(odds: number): number {
  return 1 / (1 + Math.exp(-odds));
}

/** Parts of a long text that overlap a little. */
function* partsOf(normalised: Normalised, original: string): Generator<{ normalised: Normalised; original: string }> {
  const step = unitsMax - 200;
  for (let start = 0; start < normalised.folded.length; start += step) {
    const end = Math.min(normalised.folded.length, start + unitsMax);
    yield {
      normalised: {
        ...normalised,
        folded: normalised.folded.slice(start, end),
        starts: normalised.starts.subarray(start, end),
        ends: normalised.ends.subarray(start, end),
      },
      original: original.slice(normalised.starts[start]!, normalised.ends[end - 1]!),
    };
    if (end === normalised.folded.length) return;
  }
}
