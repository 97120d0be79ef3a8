/** Whether letters without gaps are ordinary words in a row: "thatoldhouse" is, "scunthorpe" is not. */

/** Words of two letters that people join to others. Other words of two letters are too often part of something else. */
const shortOnes: ReadonlySet<string> = new Set(['my', 'mr', 'ms', 'xx', 'ur', 'im', 'lil', 'og']);
const wordMax = 12;

/** @returns whether `letters` consists of words of `known` of three letters or more; true if empty. Linear in its length. */
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
