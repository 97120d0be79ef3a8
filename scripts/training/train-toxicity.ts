/**
 * Trains the toxicity model on `data/moderation` and writes `data/moderation/artefacts/toxicity.model`; part of
 * `npm run train`. Deterministic. The threshold is set on tweets that were not trained on.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createTermMatcher } from '../../src/spam/terms/terms.ts';
import { createNormaliser } from '../../src/spam/text/normalise.ts';
import { misspellings } from '../../src/spam/toxicity/tone-lexicon.ts';
import {
  createToxicityExtractor,
  normOf,
  rawToxicity,
  type ToxicityModel,
  toxicityBuckets,
} from '../../src/spam/toxicity/toxicity.ts';
import { writeToxicityModel } from '../../src/spam/toxicity/toxicity-file.ts';
import { createRandom, pick, shuffle } from './random.ts';

const data = new URL('../../data/moderation/', import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, data), 'utf8'));

interface Row {
  readonly text: string;
  readonly label: string;
}

interface Example {
  readonly features: readonly number[];
  readonly toxic: boolean;
  readonly weight: number;
}

interface Own {
  readonly classes: Readonly<Record<string, string>>;
  readonly train: {
    readonly hateful: readonly string[];
    readonly insulting: readonly string[];
    readonly fine: readonly string[];
  };
  /** Words for a place of a template, `{kill}`, divided by `|`. */
  readonly slots: Readonly<Record<string, string>>;
  readonly groups: { readonly train: readonly (readonly [string, string])[] };
}

/** Share of clean tweets, all chosen for words that may offend, that the threshold lets through to a flag. */
const falseAlarms = 0.053;
/** And of ordinary chat. */
const chatAlarms = 0.004;
/** So often a spelling occurs in ordinary texts that is meant as it stands. */
const writtenMin = 3;
const epochs = 8;
const rate = 0.2;
const decay = 2e-6;

function rows(name: string): Row[] {
  return gunzipSync(readFileSync(new URL(name, data)))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

function train(examples: readonly Example[]): { hashed: Float64Array; bias: number } {
  const hashed = new Float64Array(toxicityBuckets);
  const squares = new Float64Array(toxicityBuckets).fill(1e-3);
  let bias = 0;
  const random = createRandom(11);
  const order = examples.map((_, index) => index);
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (const index of order) {
      const { features, toxic, weight } = examples[index]!;
      const norm = 1 / normOf(features.length);
      let value = bias;
      for (const bucket of features) value += hashed[bucket]! * norm;
      const error = (1 / (1 + Math.exp(-value)) - (toxic ? 1 : 0)) * weight;
      if (Math.abs(error) < 1e-4) continue;
      // AdaGrad: rare features learn as fast as common ones.
      for (const bucket of features) {
        const gradient = error * norm + decay * hashed[bucket]!;
        squares[bucket]! += gradient * gradient;
        hashed[bucket]! -= (rate * gradient) / Math.sqrt(squares[bucket]!);
      }
      bias -= 0.01 * error;
    }
  }
  return { hashed, bias };
}

/** What looks like a misspelling of a class's word and is a word, or is written so by too many to be one. */
function innocentSpellings(classes: Own['classes']): string {
  const spellings = misspellings(classes);
  const known = new Set(
    gunzipSync(readFileSync(new URL('lists/words-en.txt.gz', data)))
      .toString('utf8')
      .split('\n'),
  );
  const counts = new Map<string, number>();
  for (const name of [
    'ham/irc-ubuntu.train.jsonl.gz',
    'spam/sms-uci.train.jsonl.gz',
    'spam/spamassassin.train.jsonl.gz',
  ])
    for (const { text } of rows(name))
      for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...spellings].filter((word) => known.has(word) || (counts.get(word) ?? 0) >= writtenMin).join(' ');
}

export function trainToxicity(): void {
  const startedMs = performance.now();
  const normalise = createNormaliser(json('artefacts/lookalikes.json'));
  const match = createTermMatcher(json('artefacts/terms.json'), normalise);
  const own = json('lists/toxicity-own.json') as Own;
  const innocent = innocentSpellings(own.classes);
  const extract = createToxicityExtractor({ classes: own.classes, innocent });
  const featuresOf = (text: string): readonly number[] => {
    const normalised = normalise(text);
    return extract(normalised, match(normalised, text)).buckets;
  };
  const random = createRandom(29);
  const fill = (templates: readonly string[], toxic: boolean, weight: number): Example[] =>
    templates.flatMap((template) =>
      (template.includes('{') ? own.groups.train : own.groups.train.slice(0, 1)).map(([group, one]) => ({
        // Another word of its kind for every group: what is learned is the kind.
        features: featuresOf(
          template
            .replaceAll('{g}', group)
            .replaceAll('{s}', one)
            .replace(/\{(\w+)\}/g, (_, slot: string) => pick(own.slots[slot]!.split('|'), random)),
        ),
        toxic,
        weight: template.includes('{') ? weight / 2 : weight,
      })),
    );
  const load = (name: string, weight: number, lengthMax = 400): Example[] =>
    rows(name)
      .filter(({ label }) => label !== 'spam')
      .map(({ text, label }) => ({
        features: featuresOf(text.slice(0, lengthMax)),
        toxic: label === 'hate' || label === 'offensive',
        weight: label === 'clean' ? weight * cleanWeight : weight,
      }));
  // One clean tweet to five others in the data, not in life.
  const cleanWeight = 2.5;
  const examples = [
    ...load('toxicity/davidson.train.jsonl.gz', 1),
    ...load('ham/irc-ubuntu.train.jsonl.gz', 0.4),
    ...load('spam/sms-uci.train.jsonl.gz', 0.6),
    ...load('spam/spamassassin.train.jsonl.gz', 0.3),
    ...fill(own.train.hateful, true, 1.5),
    ...fill(own.train.insulting, true, 1),
    ...fill(own.train.fine, false, 1.5),
  ];
  const { hashed, bias } = train(examples);
  const largest = hashed.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const scale = largest / 127;
  const bytes = Int8Array.from(hashed, (each) => Math.round(each / scale));
  const raw = (text: string): number => rawToxicity({ hashed: bytes, scale, bias }, featuresOf(text));
  const descending = (values: readonly number[]): number[] => [...values].sort((left, right) => right - left);
  const clean = descending(
    rows('toxicity/davidson.dev.jsonl.gz')
      .filter(({ label }) => label === 'clean')
      .map(({ text }) => raw(text)),
  );
  const chat = descending(rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => raw(text)));
  const pivot = Math.max(clean[Math.floor(clean.length * falseAlarms)]!, chat[Math.floor(chat.length * chatAlarms)]!);
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const model: ToxicityModel = { version, hashed: bytes, scale, bias, pivot, slope: 1, classes: own.classes, innocent };
  writeFileSync(new URL('artefacts/toxicity.model', data), writeToxicityModel(model));
  process.stdout.write(
    `toxicity ${version}: ${examples.length} examples, pivot ${pivot.toFixed(3)}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
  );
}
