/**
 * Finds words of the families in Han characters. Nothing separates words there, so they are looked for at every character.
 * Traditional and simplified forms are read alike.
 */
import { createWordTrie, noNode, rootNode } from './word-trie.ts';

/** @param character one UTF-16 unit; characters beyond the basic plane are in no word of the lists */
export const isHan = (character: string): boolean => /\p{Script=Han}/u.test(character);

/** Families that are evidence of spam. The others (greetings, questions, everyday words) occur in all texts. */
const telling: ReadonlySet<string> = new Set([
  'social',
  'money',
  'earn',
  'invest',
  'loan',
  'gratis',
  'offer',
  'assure',
  'adult',
  'contact',
  'meds',
  'job',
  'promote',
  'official',
  'loot',
  'casino',
  'chain',
  'cardtrade',
  'signals',
]);

export interface HanWords {
  /** The unit that a unit is read as. */
  readonly read: (code: number) => number;
  /** Calls `found` for each word that begins at `at`, with its families and its length in characters. */
  readonly wordsAt: (
    characters: Uint16Array,
    at: number,
    count: number,
    found: (word: number, families: readonly number[], length: number) => void,
  ) => void;
  /** Whether a family, by its number, is evidence of spam. */
  readonly tells: (family: number) => boolean;
}

/**
 * @param families folded; only their words in Han characters count here
 * @param variants pairs of characters, each as it is written and as it is read
 */
export function createHanWords(families: Readonly<Record<string, readonly string[]>>, variants: string): HanWords {
  const readAs = new Uint16Array(65_536);
  for (let code = 0; code < readAs.length; code++) readAs[code] = code;
  for (const pair of variants.split(' ')) if (pair.length === 2) readAs[pair.charCodeAt(0)] = pair.charCodeAt(1);
  const read = (code: number): number => readAs[code]!;
  const familiesOf = new Map<string, number[]>();
  for (const [id, words] of Object.values(families).entries())
    for (const word of words) {
      if (!isHan(word)) continue;
      const plain = String.fromCharCode(...Array.from({ length: word.length }, (_, at) => read(word.charCodeAt(at))));
      const ids = familiesOf.get(plain);
      if (!ids) familiesOf.set(plain, [id]);
      else if (!ids.includes(id)) ids.push(id);
    }
  const known = createWordTrie([...familiesOf.keys()], []);
  const idsOf = [...familiesOf.values()];
  const telltale = Object.keys(families).map((name) => telling.has(name));

  return {
    read,
    wordsAt: (characters, at, count, found) => {
      let node = rootNode;
      for (let end = at; end < count; end++) {
        node = known.next(node, characters[end]!);
        if (node === noNode) return;
        const word = known.rankAt(node);
        if (word >= 0) found(word, idsOf[word]!, end + 1 - at);
      }
    },
    tells: (family) => telltale[family] === true,
  };
}
