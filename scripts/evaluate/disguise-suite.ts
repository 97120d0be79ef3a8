/** Spam in disguise, as a share of what is caught undisguised; and how often ordinary chat with the same marks is flagged. */
import { disguises, pad } from '../training/disguises.ts';
import { createRandom, type Random } from '../training/random.ts';
import { shareAtLeast, thresholdAt } from './measures.ts';
import { rows, shipped } from './shipped.ts';
import { type Row, type Suite, share } from './suite.ts';

const sources = ['sms-uci', 'telegram-tgspam'] as const;

export const disguiseSuite: Suite = {
  name: 'disguise',
  title: 'Disguised spam, as a share of what is caught undisguised at 0.1 % of ordinary chat',
  quick: true,
  run: () => {
    const { normalise, classifier } = shipped();
    const score = (text: string): number => classifier.score(normalise(text), text);
    const chat = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
    const threshold = thresholdAt(chat.map(score), 0.001);
    const spam = sources.flatMap((source) =>
      rows(`spam/${source}.dev.jsonl.gz`).filter(({ label, text }) => label === 'spam' && text.length <= 600),
    );
    const plain = shareAtLeast(
      spam.map(({ text }) => score(text)),
      threshold,
    );
    const ordinary = chat.filter((_, at) => at % 2 === 0 && _.length > 20);
    const judge = (
      name: string,
      disguise: (text: string, random: Random) => string,
      goal: number,
      least: number,
    ): Row => {
      const random = createRandom(23);
      const caught = shareAtLeast(
        spam.map(({ text }) => score(disguise(text, random))),
        threshold,
      );
      return { name, figures: { ofUndisguised: share(caught / plain, { goal, least }) } };
    };
    return [
      ...Object.entries(disguises).map(([name, disguise]) => judge(name, disguise, 0.97, 0.96)),
      judge('ham padding ×2', (text, random) => pad(text, ordinary, 2, random), 0.9, 0.8),
      judge('ham padding ×4', (text, random) => pad(text, ordinary, 4, random), 0.9, 0.8),
    ];
  },
};
