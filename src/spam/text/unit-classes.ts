/** Classes of UTF-16 units for code that reads a text unit by unit: a table lookup costs less than a pattern. */
import { isHan } from './han-words.ts';

/** 0 is everything else: space, punctuation, emoji, halves of surrogate pairs. */
export const unitClass = { other: 0, letter: 1, digit: 2, currency: 3, han: 4 } as const;

const { letter, digit, currency, han } = unitClass;

/** The class of each UTF-16 unit. `letter` leaves out Han characters, which have a class of their own. */
export const unitClasses = new Uint8Array(65_536);
for (let code = 0; code < 65_536; code++) {
  const character = String.fromCharCode(code);
  if (isHan(character)) unitClasses[code] = han;
  else if (/\p{L}/u.test(character)) unitClasses[code] = letter;
  else if (/\p{Nd}/u.test(character)) unitClasses[code] = digit;
  else if (/\p{Sc}/u.test(character)) unitClasses[code] = currency;
}
