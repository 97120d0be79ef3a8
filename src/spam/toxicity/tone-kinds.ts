/** The classes of words on which the stance of a text depends, by their kinds in one lexicon. */
import { termNames } from './tone-lexicon.ts';

/** Classes that are hostile by themselves. */
const hostileClasses: ReadonlySet<string> = new Set([
  'hates',
  'harms',
  'shun',
  'vile',
  'vermin',
  'violent',
  'exclude',
  'insult',
  'dying',
  'crude',
]);
/** So grave that they are not taken as the answer to a quotation. */
const graveClasses: ReadonlySet<string> = new Set(['violent', 'exclude', 'dying']);

/** Kinds are places in `names`; flags are by kind. */
export interface ToneKinds {
  readonly count: number;
  readonly group: number;
  readonly negation: number;
  readonly counter: number;
  readonly report: number;
  readonly assent: number;
  readonly denied: number;
  readonly positive: number;
  readonly people: number;
  readonly hates: number;
  readonly dying: number;
  readonly harms: number;
  readonly shun: number;
  readonly vermin: number;
  readonly vile: number;
  readonly isGroup: readonly boolean[];
  readonly isPerson: readonly boolean[];
  readonly isThey: readonly boolean[];
  readonly isHostile: readonly boolean[];
  readonly isGrave: readonly boolean[];
  /** Crude and listed words. Beside a group they are not said of it. */
  readonly isLoud: readonly boolean[];
}

/** @param names classes by kind */
export function toneKindsOf(names: readonly string[]): ToneKinds {
  const kind = (name: string): number => names.indexOf(name);
  return {
    count: names.length,
    group: kind('group'),
    negation: kind('negation'),
    counter: kind('counter'),
    report: kind('report'),
    assent: kind('assent'),
    denied: kind('denied'),
    positive: kind('positive'),
    people: kind('people'),
    hates: kind('hates'),
    dying: kind('dying'),
    harms: kind('harms'),
    shun: kind('shun'),
    vermin: kind('vermin'),
    vile: kind('vile'),
    isGroup: names.map((name) => name === 'group'),
    isPerson: names.map((name) => name === 'you' || name === 'person'),
    isThey: names.map((name) => name === 'they'),
    isHostile: names.map((name) => hostileClasses.has(name) || termNames.has(name)),
    isGrave: names.map((name) => graveClasses.has(name)),
    isLoud: names.map((name) => termNames.has(name) || name === 'crude'),
  };
}
