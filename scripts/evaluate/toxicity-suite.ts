/** Offensive tweets, other rows of the source trained on; sentences for and against people by what they do; beside word filters. */
import { areaUnderCurve, confusionAt } from './measures.ts';
import { loadWordFilters, type WordFilter } from './other-filters.ts';
import { readJson, rows, shipped } from './shipped.ts';
import { type Bounds, type Row, type Suite, share } from './suite.ts';

const policy = { flagThreshold: 2, blockThreshold: 2, profanity: 'flag', slurs: 'block' } as const;

interface Own {
  readonly dev: { readonly hateful: readonly string[]; readonly fine: readonly string[] };
  readonly groups: { readonly dev: readonly (readonly [string, string])[] };
}

const offensive: ReadonlySet<string> = new Set(['profanity', 'slur', 'sexual', 'threat', 'toxicity']);

/** Flagged for what it says, not for the links it holds. */
function isFlagged(text: string): boolean {
  return shipped()
    .assess(text, policy)
    .labels.some(({ name }) => offensive.has(name));
}

/** What a word filter or the whole assessment says: caught or not. */
const caught = (flags: WordFilter['flags'], texts: readonly string[]): number[] =>
  texts.map((text) => (flags(text) ? 1 : 0));

function tweets(filters: readonly WordFilter[]): Row[] {
  const all = rows('toxicity/davidson.dev.jsonl.gz');
  const rude = all.filter(({ label }) => label !== 'clean').map(({ text }) => text);
  const clean = all.filter(({ label }) => label === 'clean').map(({ text }) => text);
  const { normalise, terms, toxicity } = shipped();
  const score = (text: string): number => {
    const normalised = normalise(text);
    return toxicity.score(normalised, terms(normalised, text));
  };
  const measure = (name: string, flags: WordFilter['flags'], isOurs: boolean): Row => {
    const { recall, f1, falseAlarms } = confusionAt(caught(flags, rude), caught(flags, clean), 1);
    const bounds = (most: Bounds): Bounds => (isOurs ? most : {});
    return {
      name,
      figures: {
        F1: share(f1, bounds({ least: 0.97, goal: 0.97 })),
        recall: share(recall),
        falseAlarms: share(falseAlarms, bounds({ most: 0.08, goal: 0.08 })),
      },
    };
  };
  return [
    measure('tweets: Parley', isFlagged, true),
    ...filters.map(({ name, flags }) => measure(`tweets: ${name}`, flags, false)),
    {
      name: 'tweets: the model alone',
      figures: { AUC: share(areaUnderCurve(rude.map(score), clean.map(score)), { least: 0.975 }) },
    },
  ];
}

interface Functional {
  /** Several people, one of them, and what they are. */
  readonly groups: readonly (readonly [string, string, string])[];
  /** Said to or of one person; the taxonomy has them elsewhere, a chat has them most. */
  readonly persons: { readonly insulting: readonly string[]; readonly 'not insulting': readonly string[] };
  readonly slurs: readonly string[];
  readonly hostile: Readonly<Record<string, readonly string[]>>;
  readonly fine: Readonly<Record<string, readonly string[]>>;
}

/** What is known to be harder, or asked for more than the rest. */
const functionalBounds: Readonly<Record<string, Bounds>> = {
  neutral: { least: 0.98, goal: 0.99 },
  positive: { least: 0.98, goal: 0.99 },
  'quoted to object': { least: 0.9, goal: 0.75 },
  'referred to to object': { least: 0.9, goal: 0.75 },
  implied: {},
  'in other words': { least: 0.5 },
  'in other words, not against': { least: 0.9 },
};

/** By what a sentence does: sentences of the taxonomy of functional tests for hate detection, of our own and not trained on. */
function functions(): Row[] {
  const { groups, persons, slurs, hostile, fine } = readJson<Functional>('toxicity/functional-own.json');
  const fill = (template: string): string[] => {
    if (template.includes('{x}')) return slurs.map((slur) => template.replaceAll('{x}', slur));
    if (!template.includes('{')) return [template];
    return groups.map(([several, one, kind]) =>
      template.replaceAll('{p}', several).replaceAll('{s}', one).replaceAll('{a}', kind),
    );
  };
  const rightOf = (name: string, text: string, isHostile: boolean): boolean => {
    if (name === 'own words') return shipped().assess(text, policy).outcome !== 'block';
    return isFlagged(text) === isHostile;
  };
  let right = 0;
  let all = 0;
  const found = ([...Object.entries(hostile), ...Object.entries(fine)] as const).map(([name, templates]): Row => {
    const texts = templates.flatMap(fill);
    const count = texts.filter((text) => rightOf(name, text, name in hostile)).length;
    right += count;
    all += texts.length;
    return {
      name: `${name in hostile ? 'against' : 'not against'} people: ${name}`,
      figures: { right: share(count / texts.length, functionalBounds[name] ?? { least: 0.7 }) },
    };
  });
  const flagged = (texts: readonly string[]): number => texts.filter(isFlagged).length / texts.length;
  found.push(
    { name: 'insulting a person', figures: { right: share(flagged(persons.insulting), { least: 0.7 }) } },
    {
      name: 'to a person, not insulting',
      figures: { right: share(1 - flagged(persons['not insulting']), { least: 0.9 }) },
    },
  );
  return [
    ...found,
    { name: 'for and against people, all', figures: { right: share(right / all, { least: 0.9, goal: 0.6 }) } },
  ];
}

function sentences(filters: readonly WordFilter[]): Row[] {
  const own = readJson('lists/toxicity-own.json') as Own;
  const fill = (templates: readonly string[]): string[] =>
    templates.flatMap((template) =>
      own.groups.dev
        .slice(0, template.includes('{') ? undefined : 1)
        .map(([group, one]) => template.replaceAll('{g}', group).replaceAll('{s}', one)),
    );
  const measure = (name: string, texts: readonly string[], wanted: boolean, least: number): Row => ({
    name,
    figures: {
      right: share(texts.filter((text) => isFlagged(text) === wanted).length / texts.length, { least }),
      ...Object.fromEntries(
        filters.map((filter) => [
          filter.name,
          share(texts.filter((text) => filter.flags(text) === wanted).length / texts.length),
        ]),
      ),
    },
  });
  return [
    measure('against people, no slur', fill(own.dev.hateful), true, 0.95),
    measure('for people, neutral, objecting', fill(own.dev.fine), false, 0.95),
  ];
}

export const toxicitySuite: Suite = {
  name: 'toxicity',
  title: 'Offensive tweets, and sentences for and against groups of people that the training does not contain',
  quick: true,
  run: async ({ quick }) => {
    const filters = quick ? [] : await loadWordFilters();
    return [...tweets(filters), ...sentences(filters), ...functions()];
  },
};
