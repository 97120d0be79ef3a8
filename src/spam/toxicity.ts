/**
 * How hostile a text is to somebody: logistic regression over words, neighbours and pieces of words, of which those in
 * `classes` are seen as their class. All groups of people are one class, so that no group's name weighs by itself; words
 * that the matcher found are seen as their term, however they were spelled. Pure.
 */
import type { Label } from './label.ts';
import type { Normalised } from './normalise.ts';

/** Size of the hashed space, a power of two; the artefact holds a byte for each. */
export const toxicityBuckets = 1 << 17;

export interface ToxicityModel {
  /** Names the training. */
  readonly version: string;
  readonly hashed: Int8Array;
  readonly scale: number;
  readonly bias: number;
  /** Raw value (log-odds) at which `flagScore` is reached, and what one unit beyond is worth. */
  readonly pivot: number;
  readonly slope: number;
  /** Words by class, separated by spaces. */
  readonly classes: Readonly<Record<string, string>>;
}

export interface ToxicityClassifier {
  /** 0 to 1; 0 where the model has no opinion. */
  readonly score: (normalised: Normalised, labels: readonly Label[]) => number;
}

/** From this score on a text is flagged. */
export const flagScore = 0.8;

/** Longer texts are judged by their beginning. */
const tokensMax = 400;
const tokenMax = 20;
/** Tokens that a pair may span. */
const spanMax = 4;
const lettersMin = 3;

const kinds = ['profanity', 'slur', 'sexual', 'threat'];

export type ToxicityFeatures = (normalised: Normalised, labels: readonly Label[]) => readonly number[];

/** @returns what the model sees of a text: distinct buckets */
export function createToxicityFeatures(classes: ToxicityModel['classes']): ToxicityFeatures {
  const classOf = new Map<string, string>();
  for (const [name, words] of Object.entries(classes))
    for (const word of words.split(' ')) if (word && !classOf.has(word)) classOf.set(word, name);

  return (normalised, labels) => {
    const found = new Set<number>();
    const seen = (hash: number): void => {
      found.add((hash ^ (hash >>> 15)) & (toxicityBuckets - 1));
    };
    const tokens = readTokens(normalised, labels);
    const classed = tokens.map((token) => (token.startsWith('~') ? token.slice(0, 3) : (classOf.get(token) ?? '')));
    let previous = 0;
    let previousShaped = 0;
    for (const [at, token] of tokens.entries()) {
      const name = classed[at]!;
      const isGroup = name === 'group';
      const hash = isGroup ? hashOf('group', 3) : hashOf(token, 1);
      seen(hash);
      seen(mix(previous, hash));
      previous = hash;
      // As classes, with the words between them left out.
      const shaped = name === '' ? hash : hashOf(name, 3);
      if (name !== '') seen(shaped);
      seen(mix(previousShaped, shaped) + 1);
      previousShaped = shaped;
      if (name !== '')
        for (let back = 1; back <= spanMax && back <= at; back++)
          if (classed[at - back] !== '') seen(mix(hashOf(classed[at - back]!, 5), shaped) + 2);
      if (isGroup || token.length < lettersMin) continue;
      const padded = `<${token}>`;
      for (let from = 0; from + 4 <= padded.length; from++) seen(hashPart(padded, from, from + 4));
    }
    return [...found];
  };
}

/** Words in lower case, those of labels as `~` and the kind and term. */
function readTokens({ folded, starts }: Normalised, labels: readonly Label[]): string[] {
  const tokens: string[] = [];
  const terms = labels.filter(({ name }) => kinds.includes(name));
  let next = 0;
  let token = '';
  const end = (): void => {
    if (token !== '' && tokens.length < tokensMax) tokens.push(token);
    token = '';
  };
  for (let at = 0; at < folded.length && tokens.length < tokensMax; at++) {
    const place = starts[at]!;
    while (next < terms.length && terms[next]!.end <= place) next += 1;
    const term = terms[next];
    if (term && place >= term.start) {
      end();
      if (place === term.start || (at > 0 && starts[at - 1]! < term.start))
        tokens.push(`~${term.name.slice(0, 2)}${term.id.slice(5)}`);
      continue;
    }
    const code = folded.charCodeAt(at);
    const isLetter = (code >= 97 && code <= 122) || (code >= 128 && letter.test(folded[at]!));
    if (isLetter) {
      // Stretched letters count twice.
      const isThird = token.length > 1 && token.endsWith(folded[at]!) && token.at(-2) === folded[at];
      if (!isThird && token.length < tokenMax) token += folded[at];
    } else if (code !== 39 && code !== 0x2019) {
      end();
      if (code === 34 || code === 0x201c || code === 0x201d) tokens.push('"');
      else if (code === 63) tokens.push('?');
    }
  }
  end();
  return tokens;
}

const letter = /\p{L}/u;

export function createToxicityClassifier(model: ToxicityModel): ToxicityClassifier {
  if (model.hashed.length !== toxicityBuckets) throw new Error(`the model ${model.version} is of another shape`);
  const extract = createToxicityFeatures(model.classes);
  const flagOdds = Math.log(flagScore / (1 - flagScore));
  return {
    score: (normalised, labels) => {
      const features = extract(normalised, labels);
      if (features.length === 0) return 0;
      const value = rawToxicity(model, features);
      return 1 / (1 + Math.exp(-(flagOdds + (value - model.pivot) * model.slope)));
    },
  };
}

/** Log-odds before calibration. */
export function rawToxicity(
  { hashed, scale, bias }: Pick<ToxicityModel, 'hashed' | 'scale' | 'bias'>,
  features: readonly number[],
): number {
  let sum = 0;
  for (const bucket of features) sum += hashed[bucket]!;
  return bias + (sum * scale) / normOf(features.length);
}

/** A long text has not a louder say, yet one grave word in it is heard. */
export function normOf(features: number): number {
  return Math.max(1, features) ** 0.35;
}

/** FNV-1a, seeded. */
function hashOf(text: string, seed: number): number {
  return hashPart(text, 0, text.length, seed);
}

function hashPart(text: string, from: number, to: number, seed = 2): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = from; at < to; at++) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85ebca6b) >>> 0;
}

function mix(left: number, right: number): number {
  return (Math.imul(left, 0x9e3779b1) ^ (right >>> 3)) >>> 0;
}
