/**
 * Scores spam by logistic regression over hashed features and the shape of a text. Scores are calibrated: a stated share of
 * ordinary chat reaches `pivotScore`, where flagging begins.
 */

import type { Normalised } from '../text/normalise.ts';
import { shapeNames } from '../text/text-shape.ts';
import { buckets, type Features, unitsMax } from './feature-set.ts';
import { createExtractor, type Extractor, type Lexicon } from './features.ts';

export interface Model {
  /** Names the training. */
  readonly version: string;
  /** One byte per bucket; the weight is this times `scale`. */
  readonly hashed: Int8Array;
  readonly scale: number;
  readonly shape: readonly number[];
  readonly bias: number;
  /** Weights of the shape alone, for texts in scripts that the model cannot read. */
  readonly foreignShape: readonly number[];
  readonly foreignBias: number;
  /** Log-odds that the stated share of ordinary chat reaches, and the factor for what is beyond it. */
  readonly pivot: number;
  readonly slope: number;
  readonly lexicon: Lexicon;
}

/** The weights of a model with the corrections that moderators taught. Threads may share the memory. */
export interface Learned {
  /** Identifies the examples and the model. */
  readonly version: string;
  /** Corrected weights of all buckets, in units of `unit`. */
  readonly weights: Int16Array;
  readonly unit: number;
  readonly shape: readonly number[];
  readonly bias: number;
  readonly pivot: number;
}

export interface Classifier {
  /** Identifies the model and what was learned on top of it. */
  readonly version: string;
  /** 0 to 1; at most `opinionMax` for texts that the model cannot read. */
  readonly score: (normalised: Normalised, original: string) => number;
}

/** Score at the pivot: the shipped threshold for flagging. */
export const pivotScore = 0.8;
/** Below this share of Latin and Cyrillic letters the model cannot read a text. */
const knownMin = 0.5;
/** Below this share a part of the text is unreadable. That part is scored by its shape, so readable lines cannot hide it. */
const wellKnown = 0.9;
/** A text that cannot be read is never flagged for its shape alone. */
export const opinionMax = pivotScore - 0.01;
/** Texts in Han characters are flagged, never blocked: the model was trained on little everyday Chinese. */
const hanMax = 0.94;
/**
 * Texts of so few words without a link or another contact (a room's name, an order number) prove nothing. They keep their order
 * by score, but stay below flagging.
 */
const fewTokens = 3;
const contacts = (['links', 'phones', 'handles', 'emails', 'spelled', 'leet'] as const).map((name) =>
  shapeNames.indexOf(name),
);
/** Added to the log-odds of an unreadable text: the weights of its shape were trained on readable texts. */
const foreignLift = 2;
/** Weights in memory have this many times the resolution of those on disk, so small corrections are not rounded to nothing. */
export const finer = 64;
/** Fewer features than this count as this many: a single word is no proof. */
export const featuresMin = 4;
/**
 * Spam cannot hide among ordinary lines, because the highest-scoring stretch of a text counts too. Stretches have so many
 * tokens and begin so many tokens apart. The penalty grows with their number: of many, one is high by chance. Measured on
 * padded spam against long letters and joined lines of chat.
 */
const stretches = [
  { tokens: 10, step: 3 },
  { tokens: 20, step: 6 },
] as const;
/** Shorter texts are one stretch. */
const stretchMin = 12;
const stretchPenalty = 0.5;
const chancePenalty = 1.2;
/** A stretch has a share of the shape of its text. */
const shapeShare = 0.7;
/**
 * In a text of at least `closeTokens`, the highest stretch is scored again as a text of its own, with its own shape, if it comes
 * within `closeAt` of the threshold. `closeChance` times the log of the number of stretches is subtracted.
 */
const closeTokens = 24;
const closeAt = 5;
const closeChance = 0.3;

/** The weights of the model as a classifier uses them, with nothing learned. */
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

  /** Log-odds before calibration. The highest stretch is scored alone if that may decide. */
  function rawClosely(features: Features, normalised: Normalised, original: string): number {
    const whole = wholeOf(features, learned);
    const stretch = loudestStretch(features, learned);
    if (stretch === undefined) return whole;
    const raw = Math.max(whole, stretch.raw);
    const { tokens, offsetOf, hasOffsets } = features;
    if (tokens < closeTokens || !hasOffsets || stretch.raw < learned.pivot - closeAt) return raw;
    const { start, end, number } = stretch;
    const past = end < tokens ? offsetOf[end]! : Math.min(unitsMax, normalised.folded.length);
    const alone = sliceOf(normalised, original, offsetOf[start]!, past);
    const close = wholeOf(see(alone.normalised, alone.original), learned);
    return Math.max(raw, close - closeChance * Math.log(number));
  }

  function scorePart(normalised: Normalised, original: string): number {
    const features = see(normalised, original);
    if (features.count === 0) return 0;
    // The score of the unreadable part stays below flagging, whatever the readable lines around it say.
    const unread =
      features.known < wellKnown
        ? opinionMax * squash(dot(features.shape, foreignShape) + foreignBias + foreignLift)
        : 0;
    if (features.known < knownMin) return unread;
    // Read now: scoring a stretch overwrites these features.
    const { han } = features;
    const few = features.tokens <= fewTokens && contacts.every((at) => features.shape[at] === 0);
    const read = squash(pivotOdds + (rawClosely(features, normalised, original) - learned.pivot) * slope);
    const score = han ? Math.min(hanMax, read) : read;
    return few ? opinionMax * score : Math.max(score, unread);
  }

  return {
    version: learned.version,
    score: (normalised, original) => {
      if (normalised.folded.length <= unitsMax) return scorePart(normalised, original);
      // A long text has the score of its highest part.
      let loudest = 0;
      for (const part of partsOf(normalised, original))
        loudest = Math.max(loudest, scorePart(part.normalised, part.original));
      return loudest;
    },
  };
}

const sums = new Float64Array(unitsMax + 1);
const counts = new Int32Array(unitsMax + 1);

interface Stretch {
  /** Log-odds before calibration, penalty included. */
  raw: number;
  /** First token, and the one past the last. */
  start: number;
  end: number;
  /** Number of stretches in the text. */
  number: number;
}

/** Log-odds before calibration. */
export function rawOf(features: Features, learned: Learned): number {
  const whole = wholeOf(features, learned);
  const stretch = loudestStretch(features, learned);
  return stretch === undefined ? whole : Math.max(whole, stretch.raw);
}

function wholeOf(features: Features, learned: Learned): number {
  const { count, shape } = features;
  const sum = gather(features, learned);
  return learned.bias + dot(shape, learned.shape) + (sum * learned.unit) / Math.sqrt(Math.max(featuresMin, count));
}

/** Fills `sums` and `counts` with those of all tokens before each token. @returns the sum of all weights */
function gather({ hashed, tokenOf, count, tokens }: Features, { weights }: Learned): number {
  // Texts with more tokens are not split into stretches.
  const last = Math.min(tokens, unitsMax);
  sums.fill(0, 0, last + 1);
  counts.fill(0, 0, last + 1);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const weight = weights[hashed[at]!]!;
    const token = tokenOf[at]!;
    sum += weight;
    // Features of the whole text belong to no stretch.
    if (token >= last) continue;
    sums[token + 1]! += weight;
    counts[token + 1]!++;
  }
  for (let token = 1; token <= last; token++) {
    sums[token]! += sums[token - 1]!;
    counts[token]! += counts[token - 1]!;
  }
  return sum;
}

/** The highest stretch of the features gathered last. Undefined if the text is not much longer than a stretch. */
function loudestStretch({ tokens, shape: values }: Features, { unit, shape, bias }: Learned): Stretch | undefined {
  if (tokens <= stretchMin || tokens > unitsMax) return;
  const found: Stretch = { raw: Number.NEGATIVE_INFINITY, start: 0, end: 0, number: 0 };
  for (const { tokens: length, step } of stretches)
    for (let start = 0; start + length <= tokens; start += step) {
      const end = start + length;
      const size = Math.max(featuresMin, counts[end]! - counts[start]!);
      const part = ((sums[end]! - sums[start]!) * unit) / Math.sqrt(size);
      found.number++;
      if (part <= found.raw) continue;
      found.raw = part;
      found.start = start;
      found.end = end;
    }
  found.raw += bias + dot(values, shape) * shapeShare - stretchPenalty;
  found.raw -= chancePenalty * Math.log(found.number);
  return found;
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
    yield sliceOf(normalised, original, start, end);
    if (end === normalised.folded.length) return;
  }
}

function sliceOf(
  normalised: Normalised,
  original: string,
  start: number,
  end: number,
): { normalised: Normalised; original: string } {
  return {
    normalised: {
      ...normalised,
      folded: normalised.folded.slice(start, end),
      starts: normalised.starts.subarray(start, end),
      ends: normalised.ends.subarray(start, end),
    },
    original: original.slice(normalised.starts[start]!, normalised.ends[end - 1]!),
  };
}
