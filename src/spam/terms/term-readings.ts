/**
 * The letters that a character may be read as. Letters of other alphabets that look like exactly one Latin letter are folded
 * before (`normalise.ts`). Here are characters that look like several letters, signs that stand for a letter, signs that
 * hide a letter, and groups of signs that draw one letter.
 */

/** Digits, signs and emoji by the letter that they are read as. Some are read as several. */
const signs: Readonly<Record<string, string>> = {
  a: '4@^∆',
  b: '68',
  c: '(<{[¢©≤☪',
  d: '∂',
  e: '3€£∑',
  g: '69',
  h: '#♓',
  i: '1!|¡❗❕',
  l: '1!|£',
  m: '♏',
  n: '∩',
  o: '0°○●◯⭕⚪⚫☯⊙🔴🟠🟡🟢🔵🟣🅾🌐🍩',
  p: '¶',
  q: '9',
  r: '®',
  s: '5$§∫⚡💲💵',
  t: '7+†✝✚➕',
  u: '∪',
  v: '√',
  x: '×❌✖',
  y: '¥',
  z: '2',
};

/** Letters of other alphabets that look like several Latin letters, or that fancy-text generators use for their outline. */
const letters: Readonly<Record<string, string>> = {
  a: 'дляλδæʌค卂ᗩልⲁ',
  b: 'вбß฿๒乃ᗷⲃ',
  c: 'сцς匚ᑕርⲥ',
  d: 'дδð๔刀ᗪ',
  e: 'зэσξœεє乇ᗴⲉ',
  f: 'φŧ千ᖴቻ',
  g: 'гбγǤጎ',
  h: 'хнчηχɥђห卄ᕼዘⲏ',
  i: 'ийыเ丨工ⲓ',
  j: 'ןﾌフᒍ',
  k: 'ⲕ',
  l: 'глλןㄥᒪ',
  m: 'μɯʍ๓爪ᗰጠⲙ',
  n: 'ийнпηνπภท几ᑎክⲛ',
  o: 'ωσφθœðø๏อㄖ口ዐⲟ',
  p: 'рпρπþק卩ᑭየⲣ',
  r: 'ргяρ尺ᖇዪ',
  s: 'сσςßร丂ᔕነ',
  t: 'θτþㄒ丅ፕⲧ',
  u: 'ийуцυμɥยขนㄩ凵ᑌሁሀⲩ',
  v: 'вυνʌᐯ',
  w: 'ωψɯʍש山ᗯሠ',
  x: 'хжχא乂メ',
  y: 'учυγץㄚ丫',
  z: 'з乙ᘔ',
};

/** Groups of signs that draw one letter. */
const drawings: readonly (readonly [string, string])[] = [
  ['|-|', 'h'],
  [']-[', 'h'],
  ['}{', 'h'],
  [')-(', 'h'],
  ['|<', 'k'],
  ['|{', 'k'],
  ['|(', 'k'],
  ['|3', 'b'],
  ['|)', 'd'],
  ['|]', 'd'],
  ['|=', 'f'],
  ['|*', 'p'],
  ['|°', 'p'],
  ['|2', 'r'],
  ['|?', 'r'],
  ['|_|', 'u'],
  ['(_)', 'u'],
  ['[_]', 'u'],
  ['\\_/', 'u'],
  ['|_', 'l'],
  ['_|', 'j'],
  ['()', 'o'],
  ['[]', 'o'],
  ['<>', 'o'],
  ['/-\\', 'a'],
  ['/\\', 'a'],
  ['\\/\\/', 'w'],
  ['\\/', 'v'],
  ['\\/', 'u'],
  ['|\\|', 'n'],
  ['/\\/\\', 'm'],
  ['|\\/|', 'm'],
  ['|v|', 'm'],
  ['/v\\', 'm'],
  ['^^', 'm'],
  ['/\\/', 'n'],
  ['><', 'x'],
  ['`/', 'y'],
  ['7_', 'z'],
  ['vv', 'w'],
  ['rn', 'm'],
  ['uu', 'w'],
  ['nn', 'm'],
];

/** Signs that hide a letter: those with no other use, and those with other common uses. */
const masksHard = '*#×•●■█▪▒░�';
const masksSoft = '%$@!?_-+&.~^=/:"';

const codesOf = (text: string): readonly number[] => [...text].map((each) => each.codePointAt(0)!);

/** The letters that each character is read as, in the order of the table. */
function readingsOf(table: Readonly<Record<string, string>>): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const [letter, characters] of Object.entries(table))
    for (const code of codesOf(characters)) found.set(code, [...(found.get(code) ?? []), letter.charCodeAt(0)]);
  return found;
}

const signReadings = readingsOf(signs);
const asciiSignReadings = Array.from({ length: 128 }, (_, code) => signReadings.get(code));
/** The letters that a digit, sign or emoji stands for. */
export function readingsOfSign(code: number): readonly number[] | undefined {
  return code < 128 ? asciiSignReadings[code] : signReadings.get(code);
}
const letterReadings = readingsOf(letters);

/**
 * The readings of an original character besides what it folds to.
 *
 * @param more characters by letter, beside the table here
 */
export function createReadings(
  more: Readonly<Record<string, string>>,
): (code: number) => readonly number[] | undefined {
  const own = readingsOf(more);
  const lists: (readonly number[] | undefined)[] = [undefined, undefined];
  /** By unit: its place in `lists`; 0 is not known yet, 1 has no readings. */
  const places = new Uint16Array(65_536);

  function placeOf(code: number): number {
    const lower = String.fromCharCode(code).toLowerCase().codePointAt(0)!;
    const read = own.get(code) ?? letterReadings.get(code) ?? letterReadings.get(lower);
    return read ? lists.push(read) - 1 : 1;
  }

  return (code) => {
    if (code < 128) return undefined;
    // None of these is the capital of a letter in the tables.
    if (code > 0xffff) return own.get(code) ?? letterReadings.get(code);
    if (places[code] === 0) places[code] = placeOf(code);
    return lists[places[code]!];
  };
}
export interface Drawing {
  readonly signs: readonly number[];
  readonly letter: number;
}
const drawingsByFirst: ReadonlyMap<number, readonly Drawing[]> = Map.groupBy(
  drawings.map(([drawn, letter]) => ({ signs: codesOf(drawn), letter: letter.charCodeAt(0) })),
  ({ signs }) => signs[0]!,
);
const asciiDrawings = Array.from({ length: 128 }, (_, code) => drawingsByFirst.get(code));
/** The drawings that begin with a character, at most 31. All of them begin with ASCII. */
export function drawingsFrom(code: number): readonly Drawing[] | undefined {
  return code < 128 ? asciiDrawings[code] : undefined;
}
export const hardMasks: ReadonlySet<number> = new Set(codesOf(masksHard));
export const softMasks: ReadonlySet<number> = new Set(codesOf(masksSoft));

/** Upside-down letters, by the letter that they are when the line is turned. */
const turned: Readonly<Record<string, string>> = {
  a: 'ɐ∀',
  b: 'q',
  c: 'ɔƆ',
  d: 'p',
  e: 'ǝƎ',
  f: 'ɟℲ',
  g: 'ƃᵷɓ⅁',
  h: 'ɥ',
  i: 'ᴉı¡',
  j: 'ɾſ',
  k: 'ʞꞰ',
  l: 'ןꞁl˥',
  m: 'ɯ',
  n: 'u',
  p: 'dԀ',
  q: 'b',
  r: 'ɹᴚ',
  t: 'ʇ⊥┴',
  u: 'n∩',
  v: 'ʌΛ',
  w: 'ʍ',
  y: 'ʎ⅄',
};
/** By UTF-16 unit; 0 if it is not an upside-down letter. */
const turnedReadings = new Uint8Array(0x10000);
for (const [letter, characters] of Object.entries(turned))
  for (const code of codesOf(characters)) turnedReadings[code] = letter.charCodeAt(0);
/** The letter that an upside-down character is; 0 for others. */
export function turnedReading(code: number): number {
  return turnedReadings[code] ?? 0;
}
/** Characters that occur only in upside-down text. */
export const turnedSign = /[ɐɔǝɟƃᵷɥᴉɾʞꞁɯɹʇʌʍʎ⅄∀Ⅎ⅁˥ᴚ┴]/u;
