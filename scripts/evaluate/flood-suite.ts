/** Floods and raids: the streams of the data set, and the same copies in heavier disguises. */
import { createFloodWindow, type FloodLimits } from '../../src/spam/flood.ts';
import { fingerprintOf } from '../../src/spam/text/minhash.ts';
import { type Disguise, disguises } from '../training/disguises.ts';
import { createRandom, pick, type Random } from '../training/random.ts';
import { rows, shipped } from './shipped.ts';
import { type Row, type Suite, share } from './suite.ts';

interface FloodEvent {
  readonly t: number;
  readonly user: string;
  readonly text: string;
  readonly flood: boolean;
}

interface Stream {
  readonly kind: string;
  readonly events: readonly FloodEvent[];
}

/** As the settings ship. */
const limits: FloodLimits = {
  authorCopies: 3,
  authorCopiesMs: 30_000,
  roomCopies: 5,
  roomCopiesMs: 60_000,
  authorMessages: 8,
  authorMessagesMs: 10_000,
  authorsMax: 1000,
  roomsMax: 1000,
};

function judge(name: string, streams: readonly Stream[], change: (text: string, random: Random) => string): Row {
  const random = createRandom(11);
  const { normalise } = shipped();
  const tally = { hits: 0, wanted: 0, alarms: 0 };
  for (const { events } of streams) {
    const window = createFloodWindow(limits);
    for (const { t, user, text: written, flood } of events) {
      const text = flood || user === events.find((each) => each.flood)?.user ? change(written, random) : written;
      const seen = window.see({
        text,
        atMs: t,
        authorId: user,
        roomId: 'room',
        messageId: undefined,
        fingerprint: fingerprintOf(normalise(text)),
      });
      if (flood) tally.wanted++;
      if (seen && flood) tally.hits++;
      if (seen && !flood) tally.alarms++;
    }
  }
  const { hits, wanted, alarms } = tally;
  return {
    name,
    figures: {
      precision: share(hits + alarms === 0 ? 1 : hits / (hits + alarms), { least: 1 }),
      recall: share(wanted === 0 ? Number.NaN : hits / wanted, {
        goal: name === 'all streams' ? 0.98 : 0.9,
        least: name === 'all streams' ? 0.98 : 0.88,
      }),
    },
  };
}

/** Every disguise at once and a few words of its own in each copy. */
const heaviest: Disguise = (text, random) => {
  const words = text.split(/\s+/);
  words.splice(
    Math.floor(random() * words.length),
    0,
    pick(['guys', 'now', 'really', 'wow', 'friends', 'yes'], random),
  );
  const named = pick(['homoglyph', 'leet', 'zeroWidth', 'spaced', 'dotted', 'styled'], random);
  return disguises[named]!(words.join(' '), random);
};

export const floodSuite: Suite = {
  name: 'flood',
  title: 'Floods and raids at the shipped limits',
  quick: true,
  run: () => {
    const streams = rows<Stream>('flood/flood.dev.jsonl');
    const copied = streams.filter(({ kind }) => ['same-exact', 'same-mutated', 'raid', 'mixed'].includes(kind));
    return [
      judge('all streams', streams, (text) => text),
      ...Object.entries({ ...disguises, heaviest }).map(([name, disguise]) =>
        judge(`copies, ${name}`, copied, disguise),
      ),
    ];
  },
};
