/** Word filters from npm, each as its documentation sets it up; `npm --prefix scripts/evaluate install` brings them. */
import { existsSync } from 'node:fs';

export interface WordFilter {
  readonly name: string;
  readonly flags: (text: string) => boolean;
}

type Loaded = Record<string, unknown>;
type Filter = new (
  options?: object,
) => {
  readonly isProfane: (text: string) => boolean;
  readonly checkProfanity: (text: string) => { readonly containsProfanity: boolean };
  readonly exists: (text: string) => boolean;
  readonly hasMatch: (text: string) => boolean;
};

const setUps: Readonly<Record<string, (module: Loaded) => WordFilter['flags']>> = {
  obscenity: ({ RegExpMatcher, englishDataset, englishRecommendedTransformers }) => {
    const dataset = (englishDataset as { build: () => object }).build();
    const matcher = new (RegExpMatcher as Filter)({ ...dataset, ...(englishRecommendedTransformers as object) });
    return (text) => matcher.hasMatch(text);
  },
  'bad-words': ({ Filter }) => {
    const filter = new (Filter as Filter)();
    return (text) => filter.isProfane(text);
  },
  'leo-profanity': ({ default: leo }) => {
    const { check } = leo as { check: (text: string) => boolean };
    return (text) => check.call(leo, text);
  },
  '@2toad/profanity': ({ Profanity }) => {
    const filter = new (Profanity as Filter)();
    return (text) => filter.exists(text);
  },
  'glin-profanity': ({ Filter }) => {
    const filter = new (Filter as Filter)({ detectLeetspeak: true, normalizeUnicode: true });
    return (text) => filter.checkProfanity(text).containsProfanity;
  },
};

/** None where they are not installed. */
export async function loadWordFilters(): Promise<WordFilter[]> {
  if (!existsSync(new URL('./node_modules/obscenity', import.meta.url))) return [];
  return Promise.all(
    Object.entries(setUps).map(async ([name, setUp]) => ({ name, flags: setUp((await import(name)) as Loaded) })),
  );
}
