/**
 * Scores how hostile a text is, by logistic regression over words, pairs and pieces of words. Words in `classes` count as their
 * class. All groups of people are one class, so that no group's name has a weight of its own. Words that the term matcher
 * found count as their term, however they are spelled. Pure.
 */
import type { Label } from '../text/label.ts';
import type { Normalised } from '../text/normalise.ts';
import { createToneLexicon } from './tone-lexicon.ts';
import { createToneReader } from './tone-reader.ts';
import { createStanceReader, type Stance } from './toxicity-stance.ts';

/** Size of the hashed space, a power of two. The model holds a byte for each bucket. */
export const toxicityBuckets = 1 << 17;

export interface ToxicityModel {
  /** Names the training. */
  readonly version: string;
  readonly hashed: Int8Array;
  readonly scale: number;
  readonly bias: number;
  /** Log-odds at which `flagScore` is reached, and the factor for what is beyond it. */
  readonly pivot: number;
  readonly slope: number;
  /** Words by class, separated by spaces. The words of an expression are joined by `_`. */
  readonly classes: Readonly<Record<string, string>>;
  /** Words that are not misspellings of those. */
  readonly innocent: string;
}

/** The weights with the corrections that moderators taught. Threads may share the memory. */
export interface LearnedToxicity {
  /** Identifies the examples and the model. */
  readonly version: string;
  /** In units of `scale`. */
  readonly hashed: Int16Array;
  readonly scale: number;
  readonly bias: number;
  readonly pivot: number;
}

export interface ToxicityClassifier {
  /** 0 to 1; 0 if the model has no opinion. */
  readonly score: (normalised: Normalised, labels: readonly Label[]) => number;
}

/** From this score on a text is flagged. */
export const flagScore = 0.8;

/** Log-odds added for hostility beside a group of people. The training data, mostly tweets, has little of it. */
const aimedWorth = 1.2;

/** Tokens that a pair of classes may span. */
const spanMax = 4;
const lettersMin = 3;
const noKind = -1;
const stanceSeed = 0x2545f491;

/** The features of a text. */
export interface ToxicityFeatures {
  /** Distinct buckets. */
  readonly buckets: readonly number[];
  readonly stance: Stance['stance'];
}

export type ToxicityExtractor = (normalised: Normalised, labels: readonly Label[]) => ToxicityFeatures;

export function createToxicityExtractor({
  classes,
  innocent,
}: Pick<ToxicityModel, 'classes' | 'innocent'>): ToxicityExtractor {
  const lexicon = createToneLexicon(classes, innocent);
  const { names } = lexicon;
  const read = createToneReader(lexicon);
  const readStance = createStanceReader(names);
  const group = names.indexOf('group');
  const shapes = names.map((name) => hashOf(name, 3));
  const pairs = names.map((name) => hashOf(name, 5));
  /** Number of the text in which each bucket was seen last, so that no set has to be cleared. */
  const stamps = new Uint8Array(toxicityBuckets);
  let stamp = 0;

  return (normalised, labels) => {
    const tokens = read(normalised, labels);
    if (++stamp > 255) {
      stamps.fill(0);
      stamp = 1;
    }
    const buckets: number[] = [];
    const see = (hash: number): void => {
      const bucket = (hash ^ (hash >>> 15)) & (toxicityBuckets - 1);
      if (stamps[bucket] === stamp) return;
      stamps[bucket] = stamp;
      buckets.push(bucket);
    };
    let previous = 0;
    let previousShape = 0;
    for (let at = 0; at < tokens.length; at++) {
      const { text, kind, hash: unspread } = tokens[at]!;
      const hash = kind === group ? shapes[kind]! : scattered(unspread);
      see(hash);
      see(mix(previous, hash));
      previous = hash;
      // The same pairs with words replaced by their classes.
      const shape = kind === noKind ? hash : shapes[kind]!;
      see(mix(previousShape, shape) + 1);
      previousShape = shape;
      if (kind !== noKind) {
        see(shape);
        for (let back = Math.max(0, at - spanMax); back < at; back++)
          if (tokens[back]!.kind !== noKind) see(mix(pairs[tokens[back]!.kind]!, shape) + 2);
      }
      if (kind === group || text.length < lettersMin) continue;
      for (let from = -1; from + 3 <= text.length; from++) see(hashPiece(text, from));
    }
    const { stance, signs } = readStance(tokens);
    for (const sign of signs) see(mix(stanceSeed, scattered(sign)));
    return { buckets, stance };
  };
}

/** Weights in memory have this many times the resolution of those on disk, so small corrections are not rounded to nothing. */
const finer = 64;

/** The weights of the model alone. */
export function unlearnedToxicity({ version, hashed, scale, bias, pivot }: ToxicityModel): LearnedToxicity {
  return { version, hashed: Int16Array.from(hashed, (each) => each * finer), scale: scale / finer, bias, pivot };
}

/** @throws Error when the model is of another build */
export function createToxicityClassifier(
  model: ToxicityModel,
  learned: LearnedToxicity = unlearnedToxicity(model),
  extract: ToxicityExtractor = createToxicityExtractor(model),
): ToxicityClassifier {
  if (model.hashed.length !== toxicityBuckets) throw new Error(`the model ${model.version} is of another shape`);
  const flagOdds = Math.log(flagScore / (1 - flagScore));
  return {
    score: (normalised, labels) => {
      const { buckets, stance } = extract(normalised, labels);
      if (buckets.length === 0 || stance === 'harmless') return 0;
      const value = rawToxicity(learned, buckets) + (stance === 'aimed' ? aimedWorth : 0);
      return 1 / (1 + Math.exp(-(flagOdds + (value - learned.pivot) * model.slope)));
    },
  };
}

/** Log-odds before calibration. */
export function rawToxicity(
  { hashed, scale, bias }: Pick<ToxicityModel | LearnedToxicity, 'hashed' | 'scale' | 'bias'>,
  features: readonly number[],
): number {
  let sum = 0;
  for (const bucket of features) sum += hashed[bucket]!;
  return bias + (sum * scale) / normOf(features.length);
}

/** Normalises for the number of features: long texts do not score higher, but one grave word in them still counts. */
export function normOf(features: number): number {
  return Math.max(1, features) ** 0.35;
}

/** FNV-1a, seeded. */
function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return scattered(hash);
}

/** Hashes four characters of a word, padded with spaces. */
function hashPiece(text: string, from: number): number {
  let hash = 0x3c6ef372;
  for (let at = from; at < from + 4; at++) {
    const code = at >= 0 && at < text.length ? text.charCodeAt(at) : 32;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return scattered(hash);
}

function scattered(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0;
}

function mix(left: number, right: number): number {
  return (Math.imul(left, 0x9e3779b1) ^ (right >>> 3)) >>> 0;
}
