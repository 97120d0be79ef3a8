/** Whether letters run together are ordinary words in a row: "thatoldhouse" is, "scunthorpe" is not. */

/** Words of two letters that people join to others; the rest are too often a part of something else. */
const shortOnes: ReadonlySet<string> = new Set(['my', 'mr', 'ms', 'xx', 'ur', 'im', 'lil', 'og']);
const wordMax = 12;

/** @returns whether all of `letters` is words of `known`, each of three letters or more; empty is. Linear in its length. */
export function isWordsInRow(letters: string, known: ReadonlySet<string>): boolean {
  const reached = new Uint8Array(letters.length + 1);
  reached[0] = 1;
  for (let from = 0; from < letters.length; from++) {
    if (reached[from] === 0) continue;
    for (let length = 2; length <= wordMax && from + length <= letters.length; length++) {
      const word = letters.slice(from, from + length);
      if (length === 2 ? shortOnes.has(word) : known.has(word) || shortOnes.has(word)) reached[from + length] = 1;
    }
  }
  return reached[letters.length] === 1;
}
