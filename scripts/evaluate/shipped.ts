/** The data sets and the engine's parts as they ship, for all suites. Everything is read once. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createAssessor } from '../../src/spam/assess.ts';
import { createClassifier } from '../../src/spam/classifier/classifier.ts';
import { readModel } from '../../src/spam/classifier/model-file.ts';
import { createLinkPolicy } from '../../src/spam/links/link-policy.ts';
import { createTermMatcher } from '../../src/spam/terms/terms.ts';
import { createNormaliser } from '../../src/spam/text/normalise.ts';
import { createToxicityClassifier } from '../../src/spam/toxicity/toxicity.ts';
import { readToxicityModel } from '../../src/spam/toxicity/toxicity-file.ts';

const data = new URL('../../data/moderation/', import.meta.url);

export interface LabelledText {
  readonly id: string;
  readonly text: string;
  readonly label: string;
  readonly source: string;
  readonly lang?: string;
}

const read = new Map<string, unknown>();

/** Rows of a JSON Lines file of `data/moderation`, gzipped or not. */
export function rows<Row = LabelledText>(name: string): readonly Row[] {
  const known = read.get(name);
  if (known) return known as readonly Row[];
  const bytes = readFileSync(new URL(name, data));
  const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').trim().split('\n');
  const parsed = lines.map((line) => JSON.parse(line) as Row);
  read.set(name, parsed);
  return parsed;
}

export function readJson<Value>(name: string): Value {
  return JSON.parse(readFileSync(new URL(name, data), 'utf8')) as Value;
}

export function readBytes(name: string): Uint8Array {
  return readFileSync(new URL(name, data));
}

/** The deny list and the strictness about private hosts are those of the data set; the rest is as the settings ship. */
export const linkSettings = {
  deny: ['bad.example', 'scam-site.test'],
  allow: [],
  brands: ['paypal', 'google', 'discord'],
  shorteners: ['bit.ly', 'tinyurl.com', 't.co', 'cutt.ly', 'is.gd'],
  private: 'block',
} as const;

function createShipped() {
  const normalise = createNormaliser(readJson('artefacts/lookalikes.json'));
  const terms = createTermMatcher(readJson('artefacts/terms.json'), normalise);
  const model = readModel(readBytes('artefacts/spam.model'));
  const classifier = createClassifier(model);
  const toxicity = createToxicityClassifier(readToxicityModel(readBytes('artefacts/toxicity.model')));
  const links = createLinkPolicy(linkSettings, normalise);
  const assess = createAssessor({ normalise, terms, toxicity, classifier, links });
  return { normalise, terms, toxicity, model, classifier, assess };
}

let made: ReturnType<typeof createShipped> | undefined;

/** What judges a text on a worker thread, made of the artefacts. */
export function shipped(): ReturnType<typeof createShipped> {
  made ??= createShipped();
  return made;
}
