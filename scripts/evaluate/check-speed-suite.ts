/** How fast one thread judges texts of at most 500 characters: normalise, terms, spam, links. */
import { rows, shipped } from './shipped.ts';
import { count, milliseconds, perSecond, type Row, type Suite } from './suite.ts';

const policy = { flagThreshold: 0.8, blockThreshold: 0.95, profanity: 'flag', slurs: 'flag' } as const;

/** Everyday lines with a share of longer ones, as in a public room. */
function mixedTexts(): string[] {
  const chat = rows('ham/irc-ubuntu.dev.jsonl.gz');
  const others = ['spam/sms-uci.dev.jsonl.gz', 'spam/telegram-tgspam.dev.jsonl.gz', 'toxicity/davidson.dev.jsonl.gz'];
  return [...chat, ...others.flatMap((name) => rows(name))]
    .map(({ text }) => text)
    .filter(({ length }) => length <= 500);
}

function measure(name: string, texts: readonly string[], rounds: number): Row {
  const { assess } = shipped();
  const taken = new Float64Array(texts.length * rounds);
  for (const text of texts) assess(text, policy);
  // Measures processor time of the thread: other processes and the compiler threads do not count.
  const before = process.threadCpuUsage();
  for (let round = 0; round < rounds; round++)
    for (const [at, text] of texts.entries()) {
      const beganMs = performance.now();
      assess(text, policy);
      taken[round * texts.length + at] = performance.now() - beganMs;
    }
  const { user, system } = process.threadCpuUsage(before);
  const seconds = (user + system) / 1e6;
  taken.sort();
  return {
    name,
    figures: {
      texts: count(taken.length),
      'per CPU second': perSecond(taken.length / seconds, { goal: 20_000 }),
      p50: milliseconds(taken[Math.floor(taken.length * 0.5)]!),
      p99: milliseconds(taken[Math.floor(taken.length * 0.99)]!, { goal: 0.3 }),
    },
  };
}

export const checkSpeedSuite: Suite = {
  name: 'check-speed',
  title: 'The whole text check on one thread, texts of at most 500 characters',
  quick: false,
  run: () => {
    const mixed = mixedTexts();
    return [
      measure('everyday and longer texts', mixed, 8),
      measure(
        'the longer ones alone',
        mixed.filter(({ length }) => length > 200),
        20,
      ),
    ];
  },
};
