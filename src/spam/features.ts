/**
 * What the classifier sees of a text: hashed words, pairs of words and pieces of words of the folded text, and its shape.
 * Everything a spammer can add at no cost (repetition, padding) is damped: each feature counts once.
 */
import type { Normalised } from './normalise.ts';

/** Size of the hashed space; the artefact holds one weight for each. A power of two. */
export const buckets = 1 << 17;

/** Names of the shape features, in the order of their weights behind the hashed ones. */
export const shapeNames = [
  'links',
  'shortLinks',
  'money',
  'phones',
  'handles',
  'upper',
  'digits',
  'exclaims',
  'emoji',
  'hidden',
  'disguised',
  'long',
  'lines',
  'emails',
  'callToAct',
] as const;

export interface Features {
  /** Distinct buckets. */
  readonly hashed: Uint32Array;
  /** Values 0 to 1. */
  readonly shape: Float32Array;
  /** Share of letters in scripts that the model has seen: beyond them it has no opinion. */
  readonly known: number;
}

/** Longer texts are judged by their beginning and end. */
const unitsMax = 2000;
const tokenMax = 24;

const word = /[\p{L}\p{N}$€£%@#']+/gu;
const link =
  /\b(?:https?:\/\/|www\.|t\.me\/|wa\.me\/)\S+|\b[a-z0-9-]+\.(?:com|net|org|ru|info|biz|xyz|top|online|site|shop|club|io|me|co|uk|vip|live|link|click)\b/g;
const shortLink = /\b(?:bit\.ly|tinyurl\.com|t\.co|goo\.gl|cutt\.ly|is\.gd|t\.me|wa\.me|clck\.ru)\b/g;
const money =
  /[$€£₽¥₿]\s?\d|\d\s?(?:[$€£₽¥%]|usdt?|eur|gbp|btc|eth|руб|dollars?|pounds?)|\b(?:usdt|btc|bitcoin|crypto)\b/g;
const phone = /(?:\+|\b00)?\d[\d\s().-]{7,}\d/g;
const email = /[\w.+-]+@[\w-]+\.[\w.]+/g;
const knownScripts = /[\p{Script=Latin}\p{Script=Cyrillic}]/gu;
const letters = /\p{L}/gu;

export function extractFeatures({ folded, hidden, disguised }: Normalised, original: string): Features {
  const text = folded.length <= unitsMax ? folded : `${folded.slice(0, unitsMax / 2)} ${folded.slice(-unitsMax / 2)}`;
  const found = new Set<number>();
  let previous = 0;
  for (const [token] of text.matchAll(word)) {
    const shaped = token.length > tokenMax ? token.slice(0, tokenMax) : token;
    const isNumber = /^[\d$€£%]+$/.test(shaped);
    const hash = hashOf(isNumber ? `#${shaped.length}` : shaped, 1);
    found.add(hash & (buckets - 1));
    if (previous !== 0) found.add(mix(previous, hash) & (buckets - 1));
    previous = hash;
    if (isNumber) continue;
    const padded = `<${shaped}>`;
    for (let at = 0; at + 4 <= padded.length; at++) found.add(hashOf(padded.slice(at, at + 4), 2) & (buckets - 1));
  }
  return {
    hashed: Uint32Array.from(found),
    shape: shapeOf(text, original, hidden, disguised),
    known: knownShare(original),
  };
}

function knownShare(original: string): number {
  const sample = original.slice(0, unitsMax);
  const all = sample.match(letters)?.length ?? 0;
  return all === 0 ? 1 : (sample.match(knownScripts)?.length ?? 0) / all;
}

function shapeOf(text: string, original: string, hidden: number, disguised: number): Float32Array {
  const length = Math.max(1, text.length);
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  const upper = original.slice(0, unitsMax).match(/\p{Lu}/gu)?.length ?? 0;
  const all = Math.max(1, original.slice(0, unitsMax).match(letters)?.length ?? 0);
  const values = [
    damp(count(link)),
    damp(count(shortLink)),
    damp(count(money)),
    damp(count(phone)),
    damp(count(/(?<![\w.])@\w{4,}/g)),
    all >= 8 ? upper / all : 0,
    count(/\d/g) / length,
    damp(count(/!/g)),
    damp(original.slice(0, unitsMax).match(/\p{Extended_Pictographic}/gu)?.length ?? 0),
    damp(hidden),
    damp(disguised / 4),
    Math.min(1, length / 500),
    damp(count(/\n/g)),
    damp(count(email)),
    damp(
      count(/\b(?:call|click|text|txt|reply|join|subscribe|dm|write|contact|пиши|пишите|жми|переходи|подписывайся)\b/g),
    ),
  ];
  return Float32Array.from(values);
}

/** 0, ½, ¾, ⅞… */
function damp(count: number): number {
  return 1 - 0.5 ** Math.min(count, 20);
}

/** FNV-1a, seeded. */
function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at++) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85ebca6b) >>> 0;
}

function mix(left: number, right: number): number {
  return (Math.imul(left, 0x9e3779b1) ^ (right >>> 3)) >>> 0;
}
