/** From texts to a model: the words it knows, the examples and their disguises, the weights, the threshold. */
import { readFileSync } from 'node:fs';
import { createClassifier, type Model, unlearned } from '../../src/spam/classifier/classifier.ts';
import { createExtractor, type Lexicon } from '../../src/spam/classifier/features.ts';
import { isHan } from '../../src/spam/text/han-words.ts';
import type { Normalised } from '../../src/spam/text/normalise.ts';
import type { Domain, Sample } from './corpus.ts';
import { disguises, pad } from './disguises.ts';
import { type Example, fitShape, fitWeights, toExample } from './fit.ts';
import { createRandom, pick } from './random.ts';

export interface TrainOptions {
  readonly normalise: (text: string) => Normalised;
  /** Ordinary chat that is not among the samples: the threshold is set on it. */
  readonly chat: readonly string[];
  /** Fewer passes, for evaluations that train many models. */
  readonly epochs?: number;
}

/** Ordinary chat at this share is what the shipped threshold for flagging lets through wrongly. */
const falseAlarms = 0.0004;
const vocabularyMax = 12_000;
/** Domains are of different sizes; ordinary chat weighs most, for that is what must stay quiet. */
const weights: Readonly<Record<Domain, number>> = {
  sms: 2,
  telegram: 2,
  mail: 1,
  irc: 5,
  tweets: 0.5,
  comments: 1,
  chinese: 2,
  everyday: 0.6,
};

export function readFamilies(normalise: TrainOptions['normalise']): Lexicon['families'] {
  const url = new URL('../../data/moderation/lists/spam-families-own.json', import.meta.url);
  const families = JSON.parse(readFileSync(url, 'utf8')) as Record<string, string>;
  return Object.fromEntries(
    Object.entries(families).map(([name, words]) => [
      name,
      [...new Set(words.split(' ').map((word) => normalise(word).folded))],
    ]),
  );
}

/** Characters that are read as others. */
export function readVariants(): string {
  const url = new URL('../../data/moderation/lists/han-variants-own.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { pairs: string }).pairs;
}

/** Words of three texts and more, the most common first. */
function buildVocabulary(samples: readonly Sample[], normalise: TrainOptions['normalise']): string[] {
  const seen = new Map<string, number>();
  for (const { text } of samples)
    for (const word of new Set(normalise(text).folded.match(/[\p{L}']+/gu) ?? []))
      seen.set(word, (seen.get(word) ?? 0) + 1);
  return [...seen]
    .filter(([word, times]) => times >= 3 && word.length <= 18 && /^\p{L}+$/u.test(word) && !isHan(word))
    .sort(([left, often], [right, seldom]) => seldom - often || (left < right ? -1 : 1))
    .slice(0, vocabularyMax)
    .map(([word]) => word);
}

/** The samples, and beside them what people do to hide a spam: disguises, padding; and cuttings of long texts. */
function augment(samples: readonly Sample[]): { sample: Sample; weight: number }[] {
  const random = createRandom(3);
  const ordinary = samples
    .filter(({ domain, spam, text }) => !spam && domain === 'irc' && text.length > 20)
    .map(({ text }) => text);
  const ways = Object.values(disguises);
  const made: { sample: Sample; weight: number }[] = [];
  for (const sample of samples) {
    const { text, spam, domain } = sample;
    const weight = weights[domain];
    made.push({ sample, weight });
    const chance = random();
    if (text.length <= 600 && chance < (spam ? 0.35 : 0.02))
      made.push({ sample: { ...sample, text: pick(ways, random)(text, random) }, weight: weight * 0.4 });
    if (spam && text.length <= 400 && ordinary.length > 0 && random() < 0.3)
      made.push({
        sample: { ...sample, text: pad(text, ordinary, 1.5 + random() * 2.5, random) },
        weight: weight * 0.4,
      });
    const words = text.split(/\s+/);
    // A stretch of a long letter must not look like spam because it is out of its place.
    const cuttings = words.length <= 40 ? 0 : spam ? 1 : Math.min(5, Math.ceil(words.length / 40));
    for (let cutting = 0; cutting < cuttings; cutting++) {
      const start = Math.floor(random() * (words.length - 14));
      const part = words.slice(start, start + 18).join(' ');
      made.push({ sample: { ...sample, text: part }, weight: weight * (spam ? 0.2 : 1) });
    }
  }
  return made;
}

/** The model has no name yet: it is that of its bytes. */
export function trainModel(samples: readonly Sample[], { normalise, chat, epochs = 10 }: TrainOptions): Model {
  const lexicon: Lexicon = {
    families: readFamilies(normalise),
    vocabulary: buildVocabulary(samples, normalise),
    variants: readVariants(),
  };
  const extract = createExtractor(lexicon);
  const examples: Example[] = augment(samples).map(({ sample, weight }) =>
    toExample(sample, weight, extract, normalise),
  );
  const { hashed, shape, bias } = fitWeights(examples, {
    epochs,
    rate: 0.4,
    decay: 1e-6,
    viewDropout: 0.1,
    featureDropout: 0,
    shapeRate: 0.05,
    seenMin: 2,
    seed: 7,
  });
  const foreign = fitShape(examples);
  const largest = hashed.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  // A few large weights are cut off, so that the many small ones are not rounded to nothing.
  const scale = Math.min(largest, 24) / 127;
  const model: Model = {
    version: '',
    hashed: Int8Array.from(hashed, (each) => Math.max(-127, Math.min(127, Math.round(each / scale)))),
    scale,
    shape: [...shape].map((each) => Number(each.toFixed(4))),
    bias: Number(bias.toFixed(4)),
    foreignShape: [...foreign.shape].map((each) => Number(each.toFixed(4))),
    foreignBias: Number(foreign.bias.toFixed(4)),
    pivot: 0,
    slope: 1,
    lexicon,
  };
  const raws = chat
    .map((text) => oddsOf(createClassifierOnce(model).score(normalise(text), text)))
    .sort((left, right) => right - left);
  // Between two lines where the share falls between them.
  const place = raws.length * falseAlarms;
  const [louder, quieter] = [raws[Math.floor(place)]!, raws[Math.floor(place) + 1]!];
  const pivot = louder + (quieter - louder) * (place % 1);
  return { ...model, pivot: Number(pivot.toFixed(4)), slope: 1.1 };
}

let last: { model: Model; classifier: ReturnType<typeof createClassifier> } | undefined;

function createClassifierOnce(model: Model): ReturnType<typeof createClassifier> {
  if (last?.model !== model) last = { model, classifier: createClassifier(model, unlearned(model)) };
  return last.classifier;
}

/** Back from the score to the log-odds, for a model whose pivot is 0 and slope 1. */
function oddsOf(score: number): number {
  return Math.log(score / (1 - score)) - Math.log(4);
}
