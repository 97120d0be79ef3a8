/** The texts that the spam model is trained on, each with the domain that it comes from. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Grammar, write } from './comment-grammar.ts';
import { createRandom } from './random.ts';

const data = new URL('../../data/moderation/', import.meta.url);

export type RealDomain = 'sms' | 'telegram' | 'mail' | 'irc' | 'tweets';
/** Domains written by the patterns of `spam/<domain>-own.json`. */
type WrittenDomain = 'comments' | 'chinese' | 'everyday';
export type Domain = RealDomain | WrittenDomain;

export interface Sample {
  readonly text: string;
  readonly spam: boolean;
  readonly domain: Domain;
  /** Which pattern wrote it, where one did. */
  readonly pattern?: string;
}

type Part = 'train' | 'dev';

function lines(name: string): { text: string; label: string }[] {
  return gunzipSync(readFileSync(new URL(name, data)))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; label: string });
}

const files: Readonly<Record<RealDomain, string>> = {
  sms: 'spam/sms-uci',
  telegram: 'spam/telegram-tgspam',
  mail: 'spam/spamassassin',
  irc: 'ham/irc-ubuntu',
  tweets: 'toxicity/davidson',
};

export function readDomain(domain: RealDomain, part: Part): Sample[] {
  // Rude is not spam: insults are another label's affair.
  return lines(`${files[domain]}.${part}.jsonl.gz`).map(({ text, label }) => ({
    text,
    spam: label === 'spam',
    domain,
  }));
}

/**
 * Ordinary chat of the training part that no model is trained on: what learning from moderators is measured with, for lines
 * that a model was trained on are quieter than others.
 */
const isHeldBack = (at: number): boolean => at % 4 === 3;

/** Ordinary chat for training, and what is held back of it. */
export function readChat(): { readonly trained: Sample[]; readonly heldBack: Sample[] } {
  const all = readDomain('irc', 'train');
  return {
    trained: all.filter((_, at) => !isHeldBack(at)),
    heldBack: all.filter((_, at) => isHeldBack(at)),
  };
}

/** @param each texts a pattern writes */
export const writeComments = (each: number, seed: number): Sample[] => writeTexts('comments', each, seed);
export const writeChinese = (each: number, seed: number): Sample[] => writeTexts('chinese', each, seed);
/** Lines of everyday life that share their words with spam, and such spam. */
export const writeEveryday = (each: number, seed: number): Sample[] => writeTexts('everyday', each, seed);

function writeTexts(domain: WrittenDomain, each: number, seed: number): Sample[] {
  const grammar = JSON.parse(readFileSync(new URL(`spam/${domain}-own.json`, data), 'utf8')) as Grammar;
  const random = createRandom(seed);
  const seen = new Set<string>();
  const samples: Sample[] = [];
  for (const label of ['spam', 'ham'] as const)
    for (const [kind, patterns] of Object.entries(grammar[label]))
      for (const [at, pattern] of patterns.entries())
        for (let turn = 0; turn < each; turn++) {
          const text = write(pattern, grammar.lists, random);
          if (seen.has(text)) continue;
          seen.add(text);
          samples.push({ text, spam: label === 'spam', domain, pattern: `${label}/${kind}/${at}` });
        }
  return samples;
}
