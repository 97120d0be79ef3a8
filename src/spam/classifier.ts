/** Logistic regression over hashed features. A score is a probability set so that the shipped thresholds mean what they say. */
import { buckets, extractFeatures, type Features, shapeNames } from './features.ts';
import type { Normalised } from './normalise.ts';

export interface Model {
  /** Names the training. */
  readonly version: string;
  /** One byte per bucket; times `scale` it is the weight. */
  readonly hashed: Int8Array;
  readonly scale: number;
  readonly shape: readonly number[];
  readonly bias: number;
  /** Raw value (log-odds) at which ordinary chat is at the stated false-alarm rate, and what one unit beyond is worth. */
  readonly pivot: number;
  readonly slope: number;
}

export interface Classifier {
  /** 0 to 1; 0 where the model has no opinion. */
  readonly score: (normalised: Normalised, original: string) => number;
  /** Log-odds before calibration. */
  readonly raw: (features: Features) => number;
}

/** Below this share of known scripts the model says nothing. */
const knownMin = 0.6;
/** Score at the pivot: the shipped threshold for blocking. */
export const pivotScore = 0.95;

export function createClassifier(model: Model): Classifier {
  if (model.hashed.length !== buckets || model.shape.length !== shapeNames.length)
    throw new Error(`the model ${model.version} is of another shape`);
  const pivotOdds = Math.log(pivotScore / (1 - pivotScore));

  function raw({ hashed, shape }: Features): number {
    let sum = 0;
    for (const bucket of hashed) sum += model.hashed[bucket]!;
    // Each feature has its say, but a long text has not a louder one.
    let value = model.bias + (sum * model.scale) / Math.sqrt(Math.max(1, hashed.length));
    for (let at = 0; at < shape.length; at++) value += model.shape[at]! * shape[at]!;
    return value;
  }

  return {
    raw,
    score: (normalised, original) => {
      const features = extractFeatures(normalised, original);
      if (features.known < knownMin || features.hashed.length < 4) return 0;
      return 1 / (1 + Math.exp(-(pivotOdds + (raw(features) - model.pivot) * model.slope)));
    },
  };
}
