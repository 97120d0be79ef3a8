/** Makes the engine's lists of `data/moderation/lists`: `npm run lists`. Deterministic; run it after a list has changed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const lists = new URL('../data/moderation/lists/', import.meta.url);
const artefacts = new URL('../data/moderation/artefacts/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, lists), 'utf8'));
const write = (name: string, value: unknown): void =>
  writeFileSync(new URL(name, artefacts), `${JSON.stringify(value)}\n`);

interface Core {
  /** Terms that are recognised in any disguise. */
  readonly core: Readonly<Record<'profanity' | 'slur' | 'sexual', readonly string[]>>;
  readonly anywhere: readonly string[];
  readonly innocent: readonly string[];
  readonly common: readonly string[];
}

/** Characters that look like one Latin letter, from UTS #39's prototypes, read in lower case. */
function buildLookalikes(): void {
  const confusables = read('confusables.json') as Readonly<Record<string, string>>;
  const more = read('lookalikes-own.json') as Readonly<Record<string, string>>;
  const found: Record<string, string> = {};
  for (const [character, prototype] of Object.entries(confusables)) {
    const lower = character.toLowerCase();
    const letter = prototype.normalize('NFKD').toLowerCase();
    if (/^[a-z]$/.test(letter) && /^\P{ASCII}$/u.test(lower)) found[lower] ??= letter;
  }
  write('lookalikes.json', { ...found, ...more });
}

function buildTerms(): void {
  const { core, anywhere, innocent, common } = read('core-own.json') as Core;
  const cuss = read('cuss.json') as Readonly<Record<string, Readonly<Record<string, number>>>>;
  const spared = new Set(innocent);
  const terms = new Map<string, object>();
  for (const [name, words] of Object.entries(core)) {
    for (const term of words)
      terms.set(term, {
        term,
        name,
        score: name === 'slur' ? 0.95 : 0.9,
        core: true,
        anywhere: anywhere.includes(term),
      });
  }
  // Rated 2, "sure"; in other languages only what is no English word of another meaning is left by the spared list.
  for (const [word, rating] of Object.entries(cuss.en!)) {
    if (rating === 2 && word.length >= 5 && !terms.has(word) && !spared.has(word))
      terms.set(word, { term: word, name: 'profanity', score: 0.6, core: false, anywhere: false });
  }
  write('terms.json', { terms: [...terms.values()], innocent, common });
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

/** Ordinary chat lines on which a learned threshold is set anew; every tenth of the training part. */
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
buildLookalikes();
buildTerms();
buildEmoji();
