/**
 * Trains the spam model on `data/moderation` and writes `artefacts/spam.model` and `artefacts/replay.json`: `npm run train`.
 * Deterministic: the same data make the same bytes. The threshold is set on ordinary chat that was not trained on.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createClassifier, type Model, pivotScore } from '../src/spam/classifier.ts';
import { createExtractor } from '../src/spam/features.ts';
import { writeModel } from '../src/spam/model-file.ts';
import { createNormaliser } from '../src/spam/normalise.ts';
import { readDomain, writeComments } from './training/corpus.ts';
import { trainModel } from './training/train-model.ts';
import { trainToxicity } from './training/train-toxicity.ts';

const data = new URL('../data/moderation/', import.meta.url);
const startedMs = performance.now();
const normalise = createNormaliser(JSON.parse(readFileSync(new URL('artefacts/lookalikes.json', data), 'utf8')));

const samples = [
  ...(['sms', 'telegram', 'mail', 'irc', 'tweets'] as const).flatMap((domain) => readDomain(domain, 'train')),
  ...writeComments(60, 5),
];
const model = trainModel(samples, { normalise, chat: readDomain('irc', 'dev').map(({ text }) => text) });
const version = createHash('sha256').update(writeModel(model)).digest('hex').slice(0, 12);
const named: Model = { ...model, version };
writeFileSync(new URL('artefacts/spam.model', data), writeModel(named));

/** Every nth, evenly over the file. */
const some = <Item>(items: readonly Item[], count: number): Item[] =>
  items.filter((_, at) => Math.floor((at * count) / items.length) !== Math.floor(((at - 1) * count) / items.length));
const short = (text: string): boolean => text.length <= 400 && text.length >= 8;
const classifier = createClassifier(named, undefined, createExtractor(named.lexicon));
const chat = readDomain('irc', 'train')
  .map(({ text }) => text)
  .filter(short);
const loudest = [...chat]
  .sort((left, right) => classifier.score(normalise(right), right) - classifier.score(normalise(left), left))
  .slice(0, 500);
const replay = {
  // The loudest lines are those that a correction would lift over the threshold first.
  ham: [...new Set([...some(chat, 5500), ...loudest])],
  spam: (['sms', 'telegram', 'mail'] as const).flatMap((domain) =>
    some(
      readDomain(domain, 'train')
        .filter(({ spam, text }) => spam && short(text))
        .map(({ text }) => text),
      120,
    ),
  ),
};
writeFileSync(new URL('artefacts/replay.json', data), `${JSON.stringify(replay)}\n`);
process.stdout.write(
  `model ${version}: ${samples.length} texts, pivot ${named.pivot.toFixed(3)} at score ${pivotScore}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
);
trainToxicity();
