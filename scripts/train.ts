/**
 * Trains the spam model on `data/moderation` and writes `artefacts/spam.model` and `artefacts/replay.json`: `npm run train`.
 * Deterministic: the same data make the same bytes. The threshold is set on ordinary chat that was not trained on.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createClassifier, type Model, pivotScore } from '../src/spam/classifier/classifier.ts';
import { createExtractor } from '../src/spam/classifier/features.ts';
import type { Replay } from '../src/spam/classifier/learner.ts';
import { writeModel } from '../src/spam/classifier/model-file.ts';
import { createNormaliser } from '../src/spam/text/normalise.ts';
import { readChat, readDomain, type Sample, writeChinese, writeComments, writeEveryday } from './training/corpus.ts';
import { trainModel } from './training/train-model.ts';
import { trainToxicity } from './training/train-toxicity.ts';

const data = new URL('../data/moderation/', import.meta.url);
const startedMs = performance.now();
const normalise = createNormaliser(JSON.parse(readFileSync(new URL('artefacts/lookalikes.json', data), 'utf8')));

const chat = readChat();
const samples = [
  ...(['sms', 'telegram', 'mail', 'tweets'] as const).flatMap((domain) => readDomain(domain, 'train')),
  ...chat.trained,
  ...writeComments(60, 5),
  ...writeChinese(40, 5),
  ...writeEveryday(40, 5),
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
const linesOf = (texts: readonly Sample[]): string[] => texts.map(({ text }) => text).filter(short);
const trained = linesOf(chat.trained);
const heldBack = linesOf(chat.heldBack);
const loudest = [...trained]
  .sort((left, right) => classifier.score(normalise(right), right) - classifier.score(normalise(left), left))
  .slice(0, 800);
const replay: Replay = {
  // The loudest lines are those that a correction would lift over the threshold first.
  ham: [...new Set([...loudest, ...heldBack.filter((_, at) => at % 2 === 0), ...some(trained, 1000)])],
  measured: heldBack.filter((_, at) => at % 2 === 1),
  spam: (['sms', 'telegram', 'mail'] as const).flatMap((domain) =>
    some(linesOf(readDomain(domain, 'train').filter(({ spam }) => spam)), 240),
  ),
};
writeFileSync(new URL('artefacts/replay.json', data), `${JSON.stringify(replay)}\n`);
process.stdout.write(
  `model ${version}: ${samples.length} texts, pivot ${named.pivot.toFixed(3)} at score ${pivotScore}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
);
trainToxicity();
