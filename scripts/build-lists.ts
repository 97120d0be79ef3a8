/** Makes the engine's lists of `data/moderation/lists`: `npm run lists`. Deterministic; run it after a list has changed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createTermMatcher, type TermEntry, type TermLists } from '../src/spam/terms/terms.ts';
import { createNormaliser } from '../src/spam/text/normalise.ts';
import { respell } from './term-variants.ts';

const lists = new URL('../data/moderation/lists/', import.meta.url);
const artefacts = new URL('../data/moderation/artefacts/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, lists), 'utf8'));
const write = (name: string, value: unknown): void =>
  writeFileSync(new URL(name, artefacts), `${JSON.stringify(value)}\n`);

/** Characters that look like one Latin letter, from UTS #39's prototypes, read in lower case. */
function lookalikes(): Record<string, string> {
  const confusables = read('confusables.json') as Readonly<Record<string, string>>;
  const more = read('lookalikes-own.json') as Readonly<Record<string, string>>;
  const found: Record<string, string> = {};
  for (const [character, prototype] of Object.entries(confusables)) {
    const lower = character.toLowerCase();
    const letter = prototype.normalize('NFKD').toLowerCase();
    if (/^[a-z]$/.test(letter) && /^\P{ASCII}$/u.test(lower)) found[lower] ??= letter;
  }
  return { ...found, ...more };
}

type Class = 'profanity' | 'slur' | 'sexual' | 'threat';

interface OwnTerms {
  /** Flagged in any disguise. */
  readonly strong: Readonly<Record<Class, readonly string[]>>;
  /** The same, less grave. */
  readonly weak: Readonly<Record<Class, readonly string[]>>;
  /** Words that mean something else as often. */
  readonly ambiguous: Readonly<Record<Class, readonly string[]>>;
  readonly phrases: Readonly<Record<Class, readonly string[]>>;
  readonly foreign: Readonly<Record<string, readonly string[]>>;
  /** Languages in which a term is an ordinary word. */
  readonly foreignSense: Readonly<Record<string, readonly string[]>>;
  /** Terms that are in no innocent word. */
  readonly inside: readonly string[];
  /** Words that are no respelling of a term, although they might be taken for one. */
  readonly words: readonly string[];
  /** Neighbours that give a term its innocent sense. */
  readonly senses: Readonly<Record<string, readonly string[]>>;
  readonly innocent: readonly string[];
  /** Respellings that no rule makes, or that are a word elsewhere. */
  readonly respelled: Readonly<Record<string, readonly string[]>>;
  /** Spelled one way only. */
  readonly acronyms: readonly string[];
}

const scores: Readonly<Record<Class, number>> = { profanity: 0.9, slur: 0.95, sexual: 0.9, threat: 0.9 };
/** Common words that a longer token may be made of; less frequent ones are as good as unknown. */
const seenMin = 3;

/** Characters that UTS #39 takes for a letter other than the one they fold to. */
function moreReadings(): Record<string, string> {
  const normalise = createNormaliser(lookalikes());
  const found: Record<string, string> = {};
  for (const [character, prototype] of Object.entries(read('confusables.json') as Readonly<Record<string, string>>)) {
    const letter = prototype.normalize('NFKD').toLowerCase();
    if (/^[a-z]$/.test(letter) && /^\P{ASCII}$/u.test(character) && normalise(character).folded !== letter)
      found[letter] = (found[letter] ?? '') + character;
  }
  return found;
}

function buildTerms(): void {
  const own = read('terms-own.json') as OwnTerms;
  const stopwords = read('stopwords-iso.json') as Readonly<Record<string, readonly string[]>>;
  const dictionary = new Set(
    gunzipSync(readFileSync(new URL('words-en.txt.gz', lists)))
      .toString('utf8')
      .split('\n'),
  );
  const respelled = Object.values(own.respelled).flat();
  const spared = new Set([...own.innocent, ...own.words]);
  for (const word of respelled) spared.delete(word);
  const stops = new Set(Object.values(stopwords).flat());
  const entries: TermEntry[] = [];
  const forms = new Set<string>();
  const add = (
    term: string,
    name: Class,
    kind: TermEntry['kind'],
    score: number,
    more: Partial<TermEntry> = {},
  ): void => {
    const inflected = kind === 'phrase' || kind === 'foreign' ? [] : inflect(term).filter((form) => !spared.has(form));
    for (const form of [term, ...inflected]) forms.add(form);
    entries.push({
      term,
      name,
      kind,
      score,
      ...(inflected.length > 0 && { forms: inflected.join(' ') }),
      ...(own.inside.some((part) => term.includes(part)) && { inside: true }),
      ...(own.senses[term] && { senses: own.senses[term] }),
      ...(own.foreignSense[term] && { foreign: own.foreignSense[term] }),
      ...more,
    });
  };
  const classes = (of: Readonly<Record<string, readonly string[]>>) => Object.entries(of) as [Class, string[]][];
  for (const [name, words] of classes(own.strong))
    for (const term of new Set(words)) add(term, name, 'strong', scores[name]);
  for (const [name, words] of classes(own.weak)) for (const term of words) add(term, name, 'strong', 0.5);
  for (const [name, words] of classes(own.ambiguous))
    for (const term of words) add(term, name, 'ambiguous', scores[name] - 0.2);
  for (const [name, words] of classes(own.phrases)) for (const term of words) add(term, name, 'phrase', scores[name]);
  for (const [lang, words] of Object.entries(own.foreign))
    for (const term of words) add(term, 'profanity', 'foreign', 0.8, { lang });

  const taken = new Set(forms);
  const isFree = (word: string): boolean =>
    word.length >= 4 && !dictionary.has(word) && !spared.has(word) && !stops.has(word) && !taken.has(word);
  const withVariants = entries.map((entry): TermEntry => {
    if (entry.kind !== 'strong' || entry.score < 0.9 || entry.term.length < 4 || own.acronyms.includes(entry.term))
      return entry;
    const found = new Set(respell(entry.term, { stem: true }));
    for (const form of entry.forms?.split(' ') ?? [])
      for (const each of respell(form, { stem: false })) found.add(each);
    const variants = [...(own.respelled[entry.term] ?? []), ...[...found].filter(isFree)];
    for (const each of variants) taken.add(each);
    return variants.length > 0 ? { ...entry, variants: variants.sort().join(' ') } : entry;
  });
  const made: TermLists = {
    terms: withVariants,
    innocent: [...spared].filter((word) => !forms.has(word)).join(' '),
    words: commonWords(dictionary, forms).join(' '),
    pieces: [...new Set([...forms].flatMap(cuts))]
      .filter((piece) => piece.length > 3 && dictionary.has(piece) && !forms.has(piece))
      .sort()
      .join(' '),
    readings: moreReadings(),
    markers: Object.fromEntries(Object.entries(stopwords).map(([lang, words]) => [lang, words.join(' ')])),
  };
  write('terms.json', { ...made, innocent: `${made.innocent} ${mineInnocents(made, dictionary, forms).join(' ')}` });
}

/** Words of the dictionary that would be taken for a respelled, stretched or masked term, alone or beside a sign. */
function mineInnocents(made: TermLists, dictionary: ReadonlySet<string>, forms: ReadonlySet<string>): string[] {
  const normalise = createNormaliser(lookalikes());
  const match = createTermMatcher(made, normalise);
  const strong = made.terms
    .filter(({ kind }) => kind === 'strong')
    .flatMap(({ term, forms: more }) => [term, ...(more?.split(' ') ?? [])]);
  return [...dictionary].filter((word) => {
    if (word.length < 3 || forms.has(word)) return false;
    const flagged = [word, `(${word})`, `${word}!`].some((text) => match(normalise(text), text).length > 0);
    return flagged && !strong.some((term) => term.length >= 4 && word.includes(term));
  });
}

/** The forms that English gives a word. */
function inflect(word: string): string[] {
  if (/[^a-z]/.test(word)) return [];
  if (/(?:s|z)$/.test(word) && !/(?:ss|zz)$/.test(word)) return [];
  const stem = word.endsWith('e') ? word.slice(0, -1) : word;
  const plural = /(?:s|x|z|ch|sh)$/.test(word)
    ? `${word}es`
    : /[^aeiou]y$/.test(word)
      ? `${word.slice(0, -1)}ies`
      : `${word}s`;
  const stems = /[^aeiou][aiu][tgb]$/.test(word) ? [stem, word + word.at(-1)] : [stem];
  const verbal = stems.flatMap((each) => ['ed', 'er', 'ers', 'ing', 'in', 'y'].map((ending) => each + ending));
  return [plural, `${plural}z`.replace(/sz$/, 'z'), ...(word.endsWith('y') ? [] : verbal)];
}

/** Words that people put beside others in names they give themselves. */
const nicknameWords =
  'mister missus miss lord lady king queen prince princess captain doctor the old big little mega super ultra uber total real fake dark black white red blue crazy mad dirty dumb stupid silly lazy ugly fat ever forever haha hehe lol lmao rofl bot man boy girl guy dude bro sis baby face head hole brain mouth lover hater killer hunter slayer master gamer player noob pro fan club army gang squad team official xoxo yolo swag ninja zombie monster beast wolf dragon tiger bear cat dog pig rat'.split(
    ' ',
  );

/** Words that ordinary people use in ordinary lines. */
function commonWords(dictionary: ReadonlySet<string>, forms: ReadonlySet<string>): string[] {
  const seen = new Map<string, number>();
  const sources = ['ham/irc-ubuntu.train', 'spam/sms-uci.train', 'spam/spamassassin.train', 'toxicity/davidson.train'];
  for (const source of sources)
    for (const line of gunzipSync(readFileSync(new URL(`../${source}.jsonl.gz`, lists)))
      .toString('utf8')
      .trim()
      .split('\n')) {
      const { text, label } = JSON.parse(line) as { text: string; label: string };
      if (label !== 'ham' && label !== 'clean') continue;
      for (const word of new Set(text.toLowerCase().match(/[a-z]{2,12}/g))) seen.set(word, (seen.get(word) ?? 0) + 1);
    }
  for (const word of nicknameWords) seen.set(word, Number.POSITIVE_INFINITY);
  return [...seen]
    .filter(
      ([word, times]) =>
        times >= seenMin && (dictionary.has(word) || times >= 40) && !forms.has(word) && /[aeiouy]/.test(word),
    )
    .map(([word]) => word)
    .sort();
}

/** Each two parts of a word. */
function cuts(word: string): string[] {
  return Array.from({ length: Math.max(0, word.length - 3) }, (_, at) => [
    word.slice(0, at + 2),
    word.slice(at + 2),
  ]).flat();
}

function buildEmoji(): void {
  const { github } = read('emoji-shortcodes.json') as { github: Readonly<Record<string, string | readonly string[]>> };
  const emoji: Record<string, string> = {};
  for (const [hex, names] of Object.entries(github)) {
    const character = String.fromCodePoint(...hex.split('-').map((code) => Number.parseInt(code, 16)));
    for (const name of [names].flat()) emoji[name] = character;
  }
  write('emoji.json', emoji);
}

/** Writes ordinary chat lines for setting learned thresholds: every tenth line of the training part. */
function buildChatSample(): void {
  const lines = gunzipSync(readFileSync(new URL('../ham/irc-ubuntu.train.jsonl.gz', lists)))
    .toString('utf8')
    .trim()
    .split('\n');
  write(
    'chat-sample.json',
    lines
      .filter((_, index) => index % 10 === 0)
      .map((line) => (JSON.parse(line) as { text: string }).text.slice(0, 300)),
  );
}

buildChatSample();
write('lookalikes.json', lookalikes());
buildTerms();
buildEmoji();
