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

/** The weights as a classifier uses them, with what moderators taught. May lie in memory that threads share. */
export interface LearnedToxicity {
  /** Names the examples and the model it was made on. */
  readonly version: string;
  /** In units of `scale`. */
  readonly hashed: Int16Array;
  readonly scale: number;
  readonly bias: number;
  readonly pivot: number;
}

export interface ToxicityClassifier {
  /** 0 to 1; 0 where the model has no opinion. */
  readonly score: (normalised: Normalised, labels: readonly Label[]) => number;
}

/** From this score on a text is flagged. */
export const flagScore = 0.8;

/** Log-odds for hostility beside a group of people: tweets, of which the model learned most, show little of it. */
const aimedWorth = 1.2;

/** Longer texts are judged by their beginning. */
const tokensMax = 400;
const tokenMax = 20;
/** Tokens that a pair of classes may span, and that lie between a denial and what is denied. */
const spanMax = 4;
const denialMax = 3;
const lettersMin = 3;

const termNames: ReadonlySet<string> = new Set(['profanity', 'slur', 'sexual', 'threat']);
/** Classes that are hostile by themselves, and those that are when denied: `no rights`, `don't belong`. */
const hostileClasses: ReadonlySet<string> = new Set([
  'hates',
  'vile',
  'vermin',
  'violent',
  'exclude',
  'insult',
  'dying',
  'crude',
]);
const letter = /\p{L}/u;
const letterOfNone = -1;

/** What the model sees of a text. */
export interface ToxicityFeatures {
  /** Distinct buckets. */
  readonly buckets: readonly number[];
  /**
   * `harmless`: it speaks of a group of people and says nothing hostile, or quotes it to object: the model has no opinion.
   * `aimed`: something hostile stands beside a group of people, and nothing that takes it back.
   */
  readonly stance: 'harmless' | 'aimed' | 'none';
}

export type ToxicityExtractor = (normalised: Normalised, labels: readonly Label[]) => ToxicityFeatures;

interface Token {
  readonly text: string;
  /** Of `names`; -1 is none. */
  readonly kind: number;
}

export function createToxicityExtractor(classes: ToxicityModel['classes']): ToxicityExtractor {
  const names = [...Object.keys(classes), ...termNames];
  const kindOf = new Map<string, number>();
  for (const [kind, name] of names.entries())
    for (const word of classes[name]?.split(' ') ?? []) if (word && !kindOf.has(word)) kindOf.set(word, kind);
  const [group, negation, counter, denied, positive, crude] = [
    'group',
    'negation',
    'counter',
    'denied',
    'positive',
    'crude',
  ].map((name) => names.indexOf(name));
  const isHostile = names.map((name) => hostileClasses.has(name) || termNames.has(name));
  const shapes = names.map((name) => hashOf(name, 3));
  const pairs = names.map((name) => hashOf(name, 5));
  /** The text in which each bucket was seen last: no set is filled and emptied. */
  const stamps = new Uint32Array(toxicityBuckets);
  let stamp = 0;

  function stanceOf(tokens: readonly Token[]): ToxicityFeatures['stance'] {
    let hostile = 0;
    let quotedHostile = 0;
    let groups = 0;
    let objections = 0;
    let kindWords = 0;
    let isQuoted = false;
    let isBeside = false;
    let lastGroup = Number.NEGATIVE_INFINITY;
    let lastHostile = Number.NEGATIVE_INFINITY;
    for (const [at, { text, kind }] of tokens.entries()) {
      if (text === '"') isQuoted = !isQuoted;
      if (kind === group) {
        groups += 1;
        lastGroup = at;
        isBeside ||= at - lastHostile <= spanMax;
      }
      if (kind === positive || (kind === negation && at - lastGroup <= 2)) kindWords += 1;
      if (kind === counter && !isQuoted) objections += 1;
      const isDenied =
        kind === denied &&
        tokens
          .slice(Math.max(0, at - denialMax), at)
          .some((before) => before.kind === negation || before.text === 'get');
      if (kind === letterOfNone || !(isHostile[kind]! || isDenied)) continue;
      hostile += 1;
      if (isQuoted) quotedHostile += 1;
      if (termNames.has(names[kind]!) || kind === crude) continue;
      lastHostile = at;
      isBeside ||= at - lastGroup <= spanMax;
    }
    if (groups === 0) return 'none';
    if (hostile === 0 || (objections > 0 && hostile === quotedHostile)) return 'harmless';
    return isBeside && objections === 0 && kindWords === 0 ? 'aimed' : 'none';
  }

  return (normalised, labels) => {
    const tokens = readTokens(normalised, labels, kindOf, names);
    stamp = (stamp + 1) >>> 0;
    if (stamp === 0) {
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
      const { text, kind } = tokens[at]!;
      const hash = kind === group ? shapes[kind]! : hashOf(text, 1);
      see(hash);
      see(mix(previous, hash));
      previous = hash;
      // As classes, with the words between them left out.
      const shape = kind === letterOfNone ? hash : shapes[kind]!;
      see(mix(previousShape, shape) + 1);
      previousShape = shape;
      if (kind !== letterOfNone) {
        see(shape);
        for (let back = Math.max(0, at - spanMax); back < at; back++)
          if (tokens[back]!.kind !== letterOfNone) see(mix(pairs[tokens[back]!.kind]!, shape) + 2);
      }
      if (kind === group || text.length < lettersMin) continue;
      for (let from = -1; from + 3 <= text.length; from++) see(hashPiece(text, from));
    }
    return { buckets, stance: stanceOf(tokens) };
  };
}

/** Words in lower case; those of labels as their term. */
function readTokens(
  { folded, starts }: Normalised,
  labels: readonly Label[],
  kindOf: ReadonlyMap<string, number>,
  names: readonly string[],
): Token[] {
  const tokens: Token[] = [];
  const terms = labels.filter(({ name }) => termNames.has(name));
  let nextTerm = 0;
  let from = letterOfNone;
  const end = (to: number): void => {
    if (from === letterOfNone) return;
    const text = wordOf(folded, from, to);
    tokens.push({ text, kind: kindOf.get(text) ?? letterOfNone });
    from = letterOfNone;
  };
  for (let at = 0; at < folded.length && tokens.length < tokensMax; at++) {
    const place = starts[at]!;
    while (nextTerm < terms.length && terms[nextTerm]!.end <= place) nextTerm += 1;
    const term = terms[nextTerm];
    if (term && place >= term.start) {
      end(at);
      if (at === 0 || starts[at - 1]! < term.start || starts[at - 1]! >= term.end)
        tokens.push({ text: `~${term.id.slice(5)}`, kind: names.indexOf(term.name) });
      continue;
    }
    const code = folded.charCodeAt(at);
    if ((code >= 97 && code <= 122) || (code >= 128 && code !== 0x2019 && letter.test(folded[at]!))) {
      if (from === letterOfNone) from = at;
    } else if (code !== 39 && code !== 0x2019) {
      end(at);
      if (code === 34 || code === 0x201c || code === 0x201d) tokens.push({ text: '"', kind: letterOfNone });
      else if (code === 63) tokens.push({ text: '?', kind: letterOfNone });
    }
  }
  end(folded.length);
  return tokens;
}

/** Without apostrophes, and with letters that were stretched as two. */
function wordOf(folded: string, from: number, to: number): string {
  const word = folded.slice(from, Math.min(to, from + tokenMax * 2)).replace(/['\u2019]/g, '');
  return (/(.)\1\1/.test(word) ? word.replace(/(.)\1{2,}/g, '$1$1') : word).slice(0, tokenMax);
}

/** Weights in memory are this much finer than on disk, so that corrections are not rounded away. */
const finer = 64;

/** The weights of the model alone. */
export function unlearnedToxicity({ version, hashed, scale, bias, pivot }: ToxicityModel): LearnedToxicity {
  return { version, hashed: Int16Array.from(hashed, (each) => each * finer), scale: scale / finer, bias, pivot };
}

/** @throws Error when the model is of another build */
export function createToxicityClassifier(
  model: ToxicityModel,
  learned: LearnedToxicity = unlearnedToxicity(model),
  extract: ToxicityExtractor = createToxicityExtractor(model.classes),
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

/** A long text has not a louder say, yet one grave word in it is heard. */
export function normOf(features: number): number {
  return Math.max(1, features) ** 0.35;
}

/** FNV-1a, seeded. */
function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return scattered(hash);
}

/** Four characters of a word; beyond its ends stands a space. */
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
