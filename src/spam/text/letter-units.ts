/** Letters by UTF-16 unit, for those who go through a text unit by unit: a pattern is asked once for each, then a table. */

const isLetter = /\p{L}/u;
const yes = 1;
const no = 2;
/** 0 is not yet asked. */
const known = new Uint8Array(65_536);

/** Whether a unit is a letter by itself; half of a pair is none. */
export function isLetterUnit(code: number): boolean {
  let answer = known[code]!;
  if (answer === 0) {
    answer = isLetter.test(String.fromCharCode(code)) ? yes : no;
    known[code] = answer;
  }
  return answer === yes;
}
