/** Ways to hide a word from a filter, for `terms`: families that the dev file has not, beside harder ones of those it has. */
import { pick, type Random } from '../training/random.ts';

export type Disguise = (word: string, random: Random) => string;

const marks = ['\u0336', '\u0301', '\u0323', '\u0489', '\u0330'];
const unseen = ['\u200b', '\u200d', '\u2060', '\u00ad', '\u034f', '\ufe0f'];
const gaps = ['.', '-', '_', '*', '~', '/', ' '];
const numbers: Readonly<Record<string, string>> = {
  a: '4@',
  b: '8',
  e: '3',
  g: '9',
  i: '1!',
  l: '1|',
  o: '0',
  s: '5$',
  t: '7+',
};
const cyrillic: Readonly<Record<string, string>> = {
  a: 'а',
  c: 'с',
  e: 'е',
  k: 'к',
  o: 'о',
  p: 'р',
  t: 'т',
  u: 'υ',
  h: 'һ',
  i: 'і',
  s: 'ѕ',
  n: 'п',
  r: 'г',
};
const turned = 'ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz';
const small = 'ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘqʀꜱᴛᴜᴠᴡxʏᴢ';

const letters = (word: string): string[] => [...word];
const from = (first: number) => (word: string) =>
  letters(word).map((letter) => String.fromCodePoint(first + letter.charCodeAt(0) - 97));
const inside = (word: string, random: Random): number => 1 + Math.floor(random() * (word.length - 1));
const at = (alphabet: string, letter: string): string => letters(alphabet)[letter.charCodeAt(0) - 97] ?? letter;

/** Every letter that can be is replaced with the given chance, one at least. */
function replaced(word: string, table: Readonly<Record<string, string>>, chance: number, random: Random): string {
  const changed = letters(word).map((letter) => {
    const choices = table[letter];
    return choices && random() < chance ? pick(letters(choices), random) : letter;
  });
  if (changed.join('') !== word || chance >= 1) return changed.join('');
  return replaced(word, table, 1, random);
}

export const disguises: Readonly<Record<string, Disguise>> = {
  clear: (word) => word,
  capitals: (word) => word.toUpperCase(),
  'marks over each letter': (word, random) =>
    letters(word)
      .map((letter) => letter + pick(marks, random) + pick(marks, random))
      .join(''),
  'nothing seen between': (word, random) => letters(word).join(pick(unseen, random)),
  'bold letters': (word) => from(0x1d41a)(word).join(''),
  'script letters': (word) => from(0x1d4ea)(word).join(''),
  'letters in circles': (word) => from(0x24d0)(word).join(''),
  'letters in squares': (word) => from(0x1f130)(word).join(''),
  flags: (word) => from(0x1f1e6)(word).join(' '),
  'small capitals': (word) =>
    letters(word)
      .map((letter) => at(small, letter))
      .join(''),
  'upside down': (word) =>
    letters(word)
      .map((letter) => at(turned, letter))
      .reverse()
      .join(''),
  'Cyrillic letters': (word, random) => replaced(word, cyrillic, 0.7, random),
  'Cyrillic letters, spaced': (word, random) => letters(replaced(word, cyrillic, 0.5, random)).join(' '),
  'decimal entities': (word) =>
    letters(word)
      .map((letter) => `&#${letter.charCodeAt(0)};`)
      .join(''),
  'percent escapes': (word) =>
    letters(word)
      .map((letter) => `%${letter.charCodeAt(0).toString(16)}`)
      .join(''),
  'right-to-left override': (word) => `\u202e${letters(word).reverse().join('')}\u202c`,
  'override of a part': (word) => `${word[0]}\u202e${letters(word.slice(1)).reverse().join('')}\u202c`,
  'digits and signs': (word, random) => replaced(word, numbers, 0.6, random),
  'digits and signs, dotted': (word, random) => letters(replaced(word, numbers, 0.4, random)).join('.'),
  'various signs between': (word, random) =>
    letters(word)
      .map((letter) => letter + pick(gaps.slice(0, -1), random))
      .join('')
      .slice(0, -1),
  'emoji between': (word) => letters(word).join('🔥'),
  'a line break between': (word) => letters(word).join('\n'),
  'cut once': (word, random) => {
    const cut = inside(word, random);
    return word.slice(0, cut) + pick(['-', '_', '.', '*', '~'], random) + word.slice(cut);
  },
  'vowels masked': (word) => word[0] + word.slice(1).replace(/[aeiou]/g, '*'),
  stretched: (word, random) =>
    letters(word)
      .map((letter) => letter.repeat(1 + Math.floor(random() * 4)))
      .join(''),
  'emphasis within': (word, random) => {
    const cut = inside(word, random);
    return `${word.slice(0, cut)}**${word[cut]}**${word.slice(cut + 1)}`;
  },
  'a tag within': (word, random) => {
    const cut = inside(word, random);
    return `${word.slice(0, cut)}<i>${word[cut]}</i>${word.slice(cut + 1)}`;
  },
  'a link within': (word, random) => {
    const cut = inside(word, random);
    return `${word.slice(0, cut)}[${word.slice(cut)}](https://a.example/)`;
  },
};
