/**
 * Everyday lines that share their words with spam, and plain adverts, by what the sender is known to be. A score that blocks
 * nothing is still seen by moderators: what is caught is flagged or blocked.
 */
import { rows, shipped } from './shipped.ts';
import { type Row, type Suite, share } from './suite.ts';

const policy = { flagThreshold: 0.8, blockThreshold: 0.95, profanity: 'flag', slurs: 'flag' } as const;
const senders = {
  'nothing known': undefined,
  newcomer: { accountAgeSeconds: 60, messagesTotal: 0 },
  known: { accountAgeSeconds: 90 * 86_400, messagesTotal: 60 },
} as const;

export const everydaySuite: Suite = {
  name: 'everyday',
  title: 'Everyday lines that share words with spam, and adverts, by sender',
  quick: true,
  run: () => {
    const { assess } = shipped();
    const judge = (file: string, sender: (typeof senders)[keyof typeof senders]) => {
      const outcomes = rows(`everyday/${file}.jsonl`).map(({ text }) => assess(text, policy, sender).outcome);
      const part = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length / outcomes.length;
      return { blocked: part('block'), caught: part('block') + part('flag') };
    };
    return (['dev', 'heldout'] as const).flatMap((part) =>
      Object.entries(senders).map(([name, sender]): Row => {
        const lines = judge(`lines.${part}`, sender);
        const adverts = judge(`adverts.${part}`, sender);
        const isKnown = name === 'known';
        return {
          name: `${part}, ${name}`,
          figures: {
            'lines blocked': share(lines.blocked, { most: isKnown ? 0 : 0.01, goal: 0 }),
            'lines caught': share(lines.caught, { most: 0.1, goal: 0.03 }),
            'adverts blocked': share(adverts.blocked, isKnown ? { most: 0 } : { least: 0.85 }),
            'adverts caught': share(adverts.caught, { least: 0.95 }),
          },
        };
      }),
    );
  },
};
