/**
 * Logistic regression over the extractor's features, with what makes it travel to sources it has not seen: domains weigh
 * alike, whole kinds of features are left out at random, and the weights are averaged over the last passes.
 */
import { buckets } from '../../src/spam/classifier/feature-set.ts';
import type { Extractor } from '../../src/spam/classifier/features.ts';
import type { Normalised } from '../../src/spam/text/normalise.ts';
import { shapeNames } from '../../src/spam/text/text-shape.ts';
import type { Domain, Sample } from './corpus.ts';
import { createRandom, shuffle } from './random.ts';

export interface Example {
  readonly hashed: Uint32Array;
  readonly viewOf: Uint8Array;
  readonly shape: Float32Array;
  readonly spam: boolean;
  readonly domain: Domain;
  readonly weight: number;
}

export interface Weights {
  readonly hashed: Float64Array;
  readonly shape: Float64Array;
  readonly bias: number;
}

export function toExample(
  { text, spam, domain }: Sample,
  weight: number,
  extract: Extractor,
  normalise: (text: string) => Normalised,
): Example {
  const { hashed, viewOf, shape, count } = extract(normalise(text), text);
  return { hashed: hashed.slice(0, count), viewOf: viewOf.slice(0, count), shape: shape.slice(), spam, domain, weight };
}

export interface FitOptions {
  readonly epochs: number;
  readonly rate: number;
  readonly decay: number;
  /** Chance that a kind of features is left out of a visit. */
  readonly viewDropout: number;
  /** Chance that a single feature is left out of a visit. */
  readonly featureDropout: number;
  readonly shapeRate: number;
  /** Features seen in fewer examples are left out. */
  readonly seenMin: number;
  readonly seed: number;
}

const viewCount = 5;

export function fitWeights(examples: readonly Example[], options: FitOptions): Weights {
  const { epochs, rate, decay, viewDropout, featureDropout, shapeRate, seenMin, seed } = options;
  const random = createRandom(seed);
  const seen = new Uint16Array(buckets);
  for (const { hashed } of examples) for (const bucket of hashed) if (seen[bucket]! < 65_535) seen[bucket]!++;
  const hashed = new Float64Array(buckets);
  const squares = new Float64Array(buckets).fill(1e-4);
  const shape = new Float64Array(shapeNames.length);
  const shapeSquares = new Float64Array(shapeNames.length).fill(1e-2);
  const sums = { hashed: new Float64Array(buckets), shape: new Float64Array(shapeNames.length), bias: 0, count: 0 };
  let bias = -1;
  const order = examples.map((_, index) => index);
  const kept = new Uint32Array(1 << 15);
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (const index of order) {
      const example = examples[index]!;
      let dropped = 0;
      for (let view = 0; view < viewCount; view++) if (random() < viewDropout) dropped |= 1 << view;
      if (dropped === (1 << viewCount) - 1) dropped = 0;
      let count = 0;
      for (let at = 0; at < example.hashed.length; at++) {
        const bucket = example.hashed[at]!;
        if (seen[bucket]! < seenMin || (dropped & (1 << example.viewOf[at]!)) !== 0) continue;
        if (featureDropout > 0 && random() < featureDropout) continue;
        kept[count++] = bucket;
      }
      const norm = 1 / Math.sqrt(Math.max(4, count));
      let value = bias;
      for (let at = 0; at < count; at++) value += hashed[kept[at]!]! * norm;
      for (let at = 0; at < shape.length; at++) value += shape[at]! * example.shape[at]!;
      const error = (1 / (1 + Math.exp(-value)) - (example.spam ? 1 : 0)) * example.weight;
      if (Math.abs(error) < 1e-4) continue;
      // AdaGrad: rare features learn as fast as common ones.
      for (let at = 0; at < count; at++) {
        const bucket = kept[at]!;
        const gradient = error * norm + decay * hashed[bucket]!;
        squares[bucket]! += gradient * gradient;
        hashed[bucket]! -= (rate * gradient) / Math.sqrt(squares[bucket]!);
      }
      for (let at = 0; at < shape.length; at++) {
        const gradient = error * example.shape[at]! + 1e-4 * shape[at]!;
        shapeSquares[at]! += gradient * gradient;
        shape[at]! -= (shapeRate * gradient) / Math.sqrt(shapeSquares[at]!);
      }
      bias -= 0.01 * error;
    }
    if (epoch < epochs / 2) continue;
    for (let bucket = 0; bucket < buckets; bucket++) sums.hashed[bucket]! += hashed[bucket]!;
    for (let at = 0; at < shape.length; at++) sums.shape[at]! += shape[at]!;
    sums.bias += bias;
    sums.count++;
  }
  return {
    hashed: sums.hashed.map((each) => each / sums.count),
    shape: sums.shape.map((each) => each / sums.count),
    bias: sums.bias / sums.count,
  };
}

/** The same with nothing but the shape of texts: what can be said of a script that cannot be read. */
export function fitShape(examples: readonly Example[]): { shape: Float64Array; bias: number } {
  const random = createRandom(5);
  const shape = new Float64Array(shapeNames.length);
  // What hangs on known words says nothing here.
  const readable = new Set([
    'families',
    'unknownWords',
    'leet',
    'spelled',
    'upper',
    'shouted',
    'length',
    'long',
    'one',
    'signs',
  ]);
  const used = shapeNames.map((name) => !readable.has(name));
  let bias = 0;
  const order = examples.map((_, index) => index);
  for (let epoch = 0; epoch < 6; epoch++) {
    shuffle(order, random);
    for (const index of order) {
      const { shape: values, spam, weight } = examples[index]!;
      let value = bias;
      for (let at = 0; at < shape.length; at++) if (used[at]) value += shape[at]! * values[at]!;
      const error = (1 / (1 + Math.exp(-value)) - (spam ? 1 : 0)) * weight * (spam ? 3 : 1);
      for (let at = 0; at < shape.length; at++)
        if (used[at]) shape[at]! -= 0.01 * (error * values[at]! + 1e-3 * shape[at]!);
      bias -= 0.01 * error;
    }
  }
  return { shape, bias };
}
