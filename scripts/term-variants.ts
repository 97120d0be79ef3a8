/** How people respell a word so that it still reads, or sounds, the same: each rule alone, and for short lists two at once. */

type Rule = (word: string) => readonly string[];

/** The word with one occurrence of `pattern` replaced, for each occurrence. */
function each(pattern: RegExp, ...replacements: readonly string[]): Rule {
  return (word) =>
    [...word.matchAll(pattern)].flatMap((found) =>
      replacements.map((to) => word.slice(0, found.index) + to + word.slice(found.index + found[0].length)),
    );
}

function all(pattern: RegExp, to: string): Rule {
  return (word) => [word.replace(pattern, to)];
}

/** The usual ways, which also come two at a time. */
const usual: readonly Rule[] = [
  each(/f/g, 'ph'),
  each(/ck/g, 'k', 'c', 'q', 'kk', 'x'),
  each(/c(?=[aouklr])/g, 'k'),
  each(/u/g, 'v', 'oo', 'uh'),
  each(/ss/g, 'zz', 's'),
  all(/s/g, 'z'),
  each(/z/g, 's'),
  each(/er\b/g, 'a', 'ah', 'ur', 'or', 'r', 'uh', 'ar'),
  each(/ers\b/g, 'as', 'az', 'ahs', 'erz', 'urs'),
  each(/ing\b/g, 'in', 'en', 'ng', 'n', 'an'),
  each(/y\b/g, 'i', 'ie', 'ee', 'ey'),
  each(/ole\b/g, 'ol', 'oll', 'oal'),
  each(/ead\b/g, 'ed', 'edd'),
  each(/a\b/g, 'er', 'ah'),
  // One letter of two.
  (word) => [...word.matchAll(/([a-z])\1/g)].map(({ index }) => word.slice(0, index) + word.slice(index + 1)),
];

const rare: readonly Rule[] = [
  each(/ph/g, 'f'),
  each(/k/g, 'c', 'q', 'ck'),
  each(/ch/g, 'sh'),
  each(/tch/g, 'ch', 'sh', 'cth', 'tsh'),
  each(/s/g, 'z'),
  each(/u/g, 'ou', 'w'),
  each(/i/g, 'y', 'ee', 'ie', 'ia', 'eo', 'io', 'iy', 'iya', 'eyo', 'ea'),
  each(/o/g, 'oe', 'oh'),
  each(/a/g, 'e', 'ah', 'u'),
  each(/ar/g, 'er'),
  each(/or/g, 'oar', 'our'),
  each(/ore\b/g, 'oar', 'oor', 'or', 'oa', 'ohr'),
  each(/wh/g, 'h', 'w', 'hw'),
  each(/e\b/g, ''),
  each(/(?<=[bcdfghjklmnpqrstvwxz])t\b/g, 'te'),
  each(/g/g, 'q', 'gh'),
  each(/w/g, 'vv'),
  each(/(?<=.)[aeiou](?=.)/g, '', 'x'),
  (word) => [word[0] + word.slice(1, -1).replace(/[aeiou]/g, '') + word.at(-1)],
  (word) => [word[0] + word.slice(1).replace(/[aeiou]/g, '')],
  // Two letters changed places.
  (word) =>
    Array.from(
      { length: word.length - 1 },
      (_, at) => word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2),
    ),
  (word) => [[...word].reverse().join('')],
];

/** Respellings of a word of a to z; not all of them are readable, and some are other words: the caller sorts out. */
export function respell(word: string, { stem }: { stem: boolean }): ReadonlySet<string> {
  const found = new Set<string>();
  for (const rule of usual) for (const once of rule(word)) found.add(once);
  if (stem) {
    for (const once of [...found]) for (const rule of usual) for (const again of rule(once)) found.add(again);
    for (const rule of rare) for (const once of rule(word)) found.add(once);
  }
  found.delete(word);
  return found;
}
