/**
 * Learning from moderators: a small correction on top of the shipped model, made anew from the stored examples, so that
 * taking an example back takes its effect back.
 *
 * Guards: each example moves the model a bounded way, older ones less; one moderator alone carries at most half of all weight
 * once there are several; and the threshold is set anew on ordinary chat, so that learning never makes ham louder.
 */

import type { Model } from './classifier.ts';
import { buckets, extractFeatures, type Features } from './features.ts';
import type { Normalised } from './normalise.ts';

export interface LearnedExample {
  readonly text: string;
  readonly spam: boolean;
  readonly moderatorId: string;
}

export interface LearnerOptions {
  readonly normalise: (text: string) => Normalised;
  /** Ordinary chat that must stay as quiet as it is. */
  readonly ham: readonly string[];
}

/** Passes over the examples; few, so that a single one does not decide. */
const epochs = 6;
const rate = 0.35;
/** Weight of an example halves with this many newer ones. */
const halfLife = 500;
const moderatorShareMax = 0.5;

/** @param examples oldest first; the caller bounds their number */
export function learn(model: Model, examples: readonly LearnedExample[], { normalise, ham }: LearnerOptions): Model {
  if (examples.length === 0) return model;
  const weights = weigh(examples);
  const seen = examples.map(({ text, spam }, index) => ({
    features: extractFeatures(normalise(text), text),
    spam,
    weight: weights[index]!,
  }));
  const delta = new Map<number, number>();
  const rawOf = ({ hashed, shape }: Features): number => {
    let sum = 0;
    for (const bucket of hashed) sum += model.hashed[bucket]! * model.scale + (delta.get(bucket) ?? 0);
    let value = model.bias + sum / Math.sqrt(Math.max(1, hashed.length));
    for (let at = 0; at < shape.length; at++) value += model.shape[at]! * shape[at]!;
    return value - model.pivot;
  };
  const quiet = ham.map((text) => extractFeatures(normalise(text), text)).filter(({ hashed }) => hashed.length > 0);
  const before = loudest(quiet, rawOf);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const { features, spam, weight } of seen) {
      const norm = 1 / Math.sqrt(Math.max(1, features.hashed.length));
      // Beyond the threshold by a margin is enough.
      const error = 1 / (1 + Math.exp(-(rawOf(features) + (spam ? -1 : 1)))) - (spam ? 1 : 0);
      const step = rate * error * weight * norm;
      for (const bucket of features.hashed) delta.set(bucket, clamp((delta.get(bucket) ?? 0) - step));
    }
  }
  return withDelta(model, delta, Math.max(0, loudest(quiet, rawOf) - before));
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

/** The value that one in a thousand lines of chat is above. */
function loudest(quiet: readonly Features[], rawOf: (features: Features) => number): number {
  if (quiet.length === 0) return 0;
  const values = quiet.map(rawOf).sort((left, right) => right - left);
  return values[Math.floor(values.length / 1000)]!;
}

const deltaMax = 8;

function clamp(value: number): number {
  return Math.max(-deltaMax, Math.min(deltaMax, value));
}

/** The corrected model has a coarser scale where the corrections need it. */
function withDelta(model: Model, delta: ReadonlyMap<number, number>, pivotShift: number): Model {
  const exact = new Float64Array(buckets);
  let largest = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    exact[bucket] = model.hashed[bucket]! * model.scale + (delta.get(bucket) ?? 0);
    largest = Math.max(largest, Math.abs(exact[bucket]!));
  }
  const scale = Math.max(model.scale, largest / 127);
  return {
    ...model,
    version: `${model.version}+learned`,
    hashed: Int8Array.from(exact, (each) => Math.round(each / scale)),
    scale,
    pivot: model.pivot + pivotShift,
  };
}
