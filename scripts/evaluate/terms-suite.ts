/** Offensive words in disguise, innocent look-alikes, spans; beside word filters from npm where they are installed. */
import { createRandom, pick } from '../training/random.ts';
import { loadWordFilters, type WordFilter } from './other-filters.ts';
import { readJson, rows, shipped } from './shipped.ts';
import { type Bounds, type Row, type Suite, share } from './suite.ts';
import { disguises } from './term-disguises.ts';

interface Disguised {
  readonly text: string;
  readonly family: string;
  readonly tier: 'core' | 'plain' | 'hard';
  readonly span: readonly [number, number];
}

interface Innocent {
  readonly text: string;
  readonly category: string;
}

/** Every nth term of the lists, so that most are in no dev file. */
const everyNth = 5;
const carriers = ['you are such a X and that is that', 'what a X', 'please stop, X is not nice', 'they said X to me'];

function find(text: string) {
  const { normalise, terms } = shipped();
  return terms(normalise(text), text);
}

/** A label covers at least half of both, the span and itself. */
function isSpanned(text: string, [start, end]: readonly [number, number]): boolean {
  return find(text).some((label) => {
    const shared = Math.min(end, label.end) - Math.max(start, label.start);
    return shared * 2 >= end - start && shared * 2 >= label.end - label.start && label.id !== '';
  });
}

const shareOf = <Item>(items: readonly Item[], holds: (item: Item) => boolean): number =>
  items.filter(holds).length / items.length;

function worstCategory(innocents: readonly Innocent[], flags: WordFilter['flags']): number {
  const categories = Map.groupBy(innocents, ({ category }) => category);
  return Math.max(...[...categories.values()].map((each) => shareOf(each, ({ text }) => flags(text))));
}

function besidePeers(peers: readonly WordFilter[]): Row[] {
  const disguised = rows<Disguised>('evasion/evasion.dev.jsonl');
  const innocents = rows<Innocent>('evasion/innocent.dev.jsonl');
  const tier = (name: Disguised['tier']) => disguised.filter((each) => each.tier === name);
  const measure = ({ name, flags }: WordFilter, isOurs: boolean): Row => {
    const bounds = (most: Bounds): Bounds => (isOurs ? most : {});
    return {
      name,
      figures: {
        core: share(
          shareOf(tier('core'), ({ text }) => flags(text)),
          bounds({ least: 0.985, goal: 0.97 }),
        ),
        plain: share(
          shareOf(tier('plain'), ({ text }) => flags(text)),
          bounds({ least: 1, goal: 1 }),
        ),
        hard: share(
          shareOf(tier('hard'), ({ text }) => flags(text)),
          bounds({ least: 0.9, goal: 0.85 }),
        ),
        innocents: share(
          shareOf(innocents, ({ text }) => flags(text)),
          bounds({ most: 0.005, goal: 0.01 }),
        ),
        worstCategory: share(worstCategory(innocents, flags), bounds({ most: 0.05, goal: 0.05 })),
      },
    };
  };
  return [
    measure({ name: 'Parley', flags: (text) => find(text).length > 0 }, true),
    ...peers.map((peer) => measure(peer, false)),
  ];
}

function spans(): Row {
  const disguised = rows<Disguised>('evasion/evasion.dev.jsonl');
  return {
    name: 'spans',
    figures: {
      overlap: share(
        shareOf(disguised, ({ text, span }) => isSpanned(text, span)),
        { least: 0.98, goal: 0.97 },
      ),
    },
  };
}

/** Terms of the lists in disguises of our own. */
function otherDisguises(peers: readonly WordFilter[]): Row[] {
  const { terms } = readJson('artefacts/terms.json') as { terms: { term: string; kind: string; score: number }[] };
  const words = terms
    .filter(({ term, kind, score }) => kind === 'strong' && score >= 0.9 && /^[a-z]{4,}$/.test(term))
    .filter((_, at) => at % everyNth === 0)
    .map(({ term }) => term);
  const random = createRandom(3);
  return Object.entries(disguises).map(([name, disguise]) => {
    const texts = words.map((word) => {
      const hidden = disguise(word, random);
      const carrier = pick(carriers, random);
      const start = carrier.indexOf('X');
      return { text: carrier.replace('X', () => hidden), span: [start, start + hidden.length] as const };
    });
    return {
      name,
      figures: {
        Parley: share(
          shareOf(texts, ({ text }) => find(text).length > 0),
          { least: 0.9, goal: 0.97 },
        ),
        span: share(
          shareOf(texts, ({ text, span }) => isSpanned(text, span)),
          { least: 0.88, goal: 0.97 },
        ),
        ...Object.fromEntries(peers.map((peer) => [peer.name, share(shareOf(texts, ({ text }) => peer.flags(text)))])),
      },
    };
  });
}

/** Names of people and places from many languages, animals, food and things; and ordinary chat. */
function otherInnocents(peers: readonly WordFilter[]): Row[] {
  const named = Map.groupBy(rows<Innocent>('evasion/innocent-names.dev.jsonl.gz'), ({ category }) => category);
  const chat = rows<{ readonly text: string }>('ham/irc-ubuntu.dev.jsonl.gz');
  const sets: (readonly [string, readonly { readonly text: string }[]])[] = [...named, ['ordinary chat', chat]];
  return sets.map(([name, texts]) => ({
    name,
    figures: {
      flagged: share(
        shareOf(texts, ({ text }) => find(text).length > 0),
        { most: name === 'ordinary chat' ? 0.006 : 0.002 },
      ),
      ...Object.fromEntries(peers.map((peer) => [peer.name, share(shareOf(texts, ({ text }) => peer.flags(text)))])),
    },
  }));
}

export const termsSuite: Suite = {
  name: 'terms',
  title: 'Offensive words in disguise and innocent look-alikes, compared with word filters from npm',
  quick: true,
  run: async ({ quick }) => {
    const peers = quick ? [] : await loadWordFilters();
    return [...besidePeers(peers), spans(), ...otherDisguises(peers), ...otherInnocents(peers)];
  },
};
