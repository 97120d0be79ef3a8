/**
 * Trains the spam model on `data/moderation` and writes `data/moderation/artefacts/spam.model`: `npm run train`.
 * Deterministic: the same data make the same bytes. The threshold is set on ordinary chat that was not trained on.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Model, pivotScore } from '../src/spam/classifier.ts';
import { buckets, extractFeatures, type Features, shapeNames } from '../src/spam/features.ts';
import { writeModel } from '../src/spam/model-file.ts';
import { createNormaliser } from '../src/spam/normalise.ts';

const data = new URL('../data/moderation/', import.meta.url);
const normalise = createNormaliser(JSON.parse(readFileSync(new URL('artefacts/lookalikes.json', data), 'utf8')));

interface Row {
  readonly text: string;
  readonly label: string;
}

interface Example {
  readonly features: Features;
  readonly spam: boolean;
  readonly weight: number;
}

function rows(name: string): Row[] {
  return gunzipSync(readFileSync(new URL(name, data)))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

/** Ordinary chat at this share of false alarms is what the shipped threshold for blocking means. */
const falseAlarms = 0.0003;
const epochs = 12;
const rate = 0.25;
const decay = 1e-6;

function load(name: string, weight: number): Example[] {
  return rows(name).flatMap(({ text, label }) => {
    const spam = label === 'spam';
    const example = { features: extractFeatures(normalise(text), text), spam, weight };
    if (!spam || text.length > 400) return [example];
    // Spam that hides in ordinary words, and the beginning of a longer one, are spam as well.
    const half = text.slice(0, Math.ceil(text.length / 2));
    return [example, { features: extractFeatures(normalise(half), half), spam, weight: weight / 3 }];
  });
}

/** A small generator of numbers with a seed (mulberry32), so that every training shuffles alike. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

function train(examples: readonly Example[]): { hashed: Float64Array; shape: Float64Array; bias: number } {
  const hashed = new Float64Array(buckets);
  const squares = new Float64Array(buckets).fill(1e-4);
  const shape = new Float64Array(shapeNames.length);
  const shapeSquares = new Float64Array(shapeNames.length).fill(1e-2);
  let bias = -1;
  const random = createRandom(7);
  const order = examples.map((_, index) => index);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1));
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
    for (const index of order) {
      const { features, spam, weight } = examples[index]!;
      const norm = 1 / Math.sqrt(Math.max(1, features.hashed.length));
      let value = bias;
      for (const bucket of features.hashed) value += hashed[bucket]! * norm;
      for (let at = 0; at < shape.length; at++) value += shape[at]! * features.shape[at]!;
      const error = (1 / (1 + Math.exp(-value)) - (spam ? 1 : 0)) * weight;
      if (Math.abs(error) < 1e-4) continue;
      // AdaGrad: rare features learn as fast as common ones.
      for (const bucket of features.hashed) {
        const gradient = error * norm + decay * hashed[bucket]!;
        squares[bucket]! += gradient * gradient;
        hashed[bucket]! -= (rate * gradient) / Math.sqrt(squares[bucket]!);
      }
      for (let at = 0; at < shape.length; at++) {
        const gradient = error * features.shape[at]! + 1e-4 * shape[at]!;
        shapeSquares[at]! += gradient * gradient;
        shape[at]! -= (0.05 * gradient) / Math.sqrt(shapeSquares[at]!);
      }
      bias -= 0.01 * error;
    }
  }
  return { hashed, shape, bias };
}

function main(): void {
  const startedMs = performance.now();
  const examples = [
    ...load('spam/sms-uci.train.jsonl.gz', 1),
    ...load('spam/telegram-tgspam.train.jsonl.gz', 1),
    ...load('spam/spamassassin.train.jsonl.gz', 0.7),
    ...load('ham/irc-ubuntu.train.jsonl.gz', 1),
    // Rude is not spam: insults are another label's affair.
    ...load('toxicity/davidson.train.jsonl.gz', 0.5).map((each) => ({ ...each, spam: false })),
  ];
  const { hashed, shape, bias } = train(examples);
  const largest = hashed.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const scale = largest / 127;
  const bytes = Int8Array.from(hashed, (each) => Math.round(each / scale));
  const raw = ({ hashed: found, shape: values }: Features): number => {
    let sum = 0;
    for (const bucket of found) sum += bytes[bucket]!;
    return (
      bias +
      (sum * scale) / Math.sqrt(Math.max(1, found.length)) +
      values.reduce((total, value, at) => total + value * shape[at]!, 0)
    );
  };
  const chat = rows('ham/irc-ubuntu.dev.jsonl.gz')
    .map(({ text }) => raw(extractFeatures(normalise(text), text)))
    .sort((left, right) => right - left);
  const pivot = chat[Math.floor(chat.length * falseAlarms)]! + 0.3;
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const model: Model = {
    version,
    hashed: bytes,
    scale,
    shape: [...shape].map((each) => Number(each.toFixed(4))),
    bias,
    pivot,
    slope: 1.2,
  };
  writeFileSync(new URL('artefacts/spam.model', data), writeModel(model));
  process.stdout.write(
    `model ${version}: ${examples.length} examples, pivot ${pivot.toFixed(3)} at score ${pivotScore}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
  );
}

main();
