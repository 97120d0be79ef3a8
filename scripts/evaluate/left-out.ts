/** Models that never saw one of the sources: what the shipped one may do on sources that nobody has shown it. */
import type { Model } from '../../src/spam/classifier/classifier.ts';
import {
  type RealDomain,
  readChat,
  readDomain,
  type Sample,
  writeChinese,
  writeComments,
  writeEveryday,
} from '../training/corpus.ts';
import { trainModel } from '../training/train-model.ts';
import { rows, shipped } from './shipped.ts';

export interface LeftOut {
  readonly name: string;
  readonly model: Model;
  /** All rows of the source that the model has not seen. */
  readonly unseen: readonly Sample[];
}

const real = ['sms', 'telegram', 'mail', 'irc', 'tweets'] as const;
const made = new Map<string, LeftOut>();

/** Trained once a run, however many suites ask. */
export function leaveOut(domain: RealDomain | 'comments'): LeftOut {
  const known = made.get(domain);
  if (known) return known;
  const kept = [
    ...real
      .filter((each) => each !== domain)
      .flatMap((each) => (each === 'irc' ? readChat().trained : readDomain(each, 'train'))),
    ...(domain === 'comments' ? [] : writeComments(60, 5)),
    ...writeChinese(40, 5),
    ...writeEveryday(40, 5),
  ];
  const unseen =
    domain === 'comments' ? writeComments(20, 99) : [...readDomain(domain, 'train'), ...readDomain(domain, 'dev')];
  const model = trainModel(kept, {
    normalise: shipped().normalise,
    chat: rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text),
  });
  const entry = { name: domain, model: { ...model, version: `without-${domain}` }, unseen };
  made.set(domain, entry);
  return entry;
}
