/** Whether a UTF-16 unit is a letter, for code that reads a text unit by unit: answers are cached in a table. */

const isLetter = /\p{L}/u;
const yes = 1;
const no = 2;
/** 0 is not known yet. */
const known = new Uint8Array(65_536);

/** Whether a unit is a letter by itself. Half of a surrogate pair is not. */
export function isLetterUnit(code: number): boolean {
  let answer = known[code]!;
  if (answer === 0) {
    answer = isLetter.test(String.fromCharCode(code)) ? yes : no;
    known[code] = answer;
  }
  return answer === yes;
}
