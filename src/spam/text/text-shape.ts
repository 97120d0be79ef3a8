/** The shape of a text: what can be measured without reading its words. */

import { isHan } from './han-words.ts';

/** In the order of their weights. */
export const shapeNames = [
  'links',
  'linkShare',
  'money',
  'phones',
  'handles',
  'emails',
  'shortNumbers',
  'percents',
  'upper',
  'shouted',
  'digits',
  'exclaims',
  'questions',
  'emoji',
  'hidden',
  'mixed',
  'styled',
  'spelled',
  'leet',
  'stretched',
  'length',
  'long',
  'lines',
  'unknownWords',
  'families',
  'signs',
  'one',
] as const;

/** What is counted while the text is read. */
export interface ShapeCounts {
  links: number;
  linkUnits: number;
  coins: number;
  phones: number;
  handles: number;
  emails: number;
  shortNumbers: number;
  percents: number;
  exclaims: number;
  questions: number;
  lines: number;
  signs: number;
  spelled: number;
  leet: number;
  stretched: number;
  words: number;
  knownWords: number;
  families: number;
  tokens: number;
  /** Evidence in texts with Han characters: distinct words of spam families, plus one for a link or contact. */
  hanEvidence: number;
  hanShare: number;
  known: number;
}

export function createShapeCounts(): ShapeCounts {
  return {
    links: 0,
    linkUnits: 0,
    coins: 0,
    phones: 0,
    handles: 0,
    emails: 0,
    shortNumbers: 0,
    percents: 0,
    exclaims: 0,
    questions: 0,
    lines: 0,
    signs: 0,
    spelled: 0,
    leet: 0,
    stretched: 0,
    words: 0,
    knownWords: 0,
    families: 0,
    tokens: 0,
    hanEvidence: 0,
    hanShare: 0,
    known: 1,
  };
}

/** Counts one unit that belongs to no word. */
export function addShape(counts: ShapeCounts, code: number): void {
  if (code === 33) counts.exclaims++;
  else if (code === 63) counts.questions++;
  else if (code === 10) counts.lines++;
  else if (code > 32) counts.signs++;
}

// Classes of the original's units: lower, upper, digit, other letters by script, emoji, marks.
const lower = 1;
const upper = 2;
const digit = 3;
const cyrillic = 4;
const foreign = 5;
const unseen = 6;
const han = 7;
const kana = 8;
const classes = new Uint8Array(65_536);
for (let code = 0; code < 65_536; code++) {
  const sign = String.fromCharCode(code);
  if (/\p{Script=Latin}/u.test(sign)) classes[code] = /\p{Lu}/u.test(sign) ? upper : lower;
  else if (/\p{Script=Cyrillic}/u.test(sign)) classes[code] = cyrillic;
  else if (isHan(sign)) classes[code] = han;
  else if (/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(sign)) classes[code] = kana;
  else if (/\p{L}/u.test(sign)) classes[code] = foreign;
  else if (/\p{Nd}/u.test(sign)) classes[code] = digit;
  else if (/[\u00ad\u200b-\u200f\u2060-\u2064\u202a-\u202e\ufeff]|\u034f/u.test(sign)) classes[code] = unseen;
}

/** If there are more Japanese or Korean letters per Han character, the text is not Chinese. */
const kanaMax = 0.1;
/** Evidence that a text in Han characters needs to be scored. */
export const hanEvidenceMin = 2;

/** Fills `into` with values 0 to 1, and sets `counts.known` to the share of letters that the model can read. */
export function shapeOf(
  counts: ShapeCounts,
  { folded, original, hidden }: { folded: string; original: string; hidden: number },
  into: Float32Array,
): void {
  const size = Math.min(original.length, 4000);
  let letters = 0;
  let uppers = 0;
  let digits = 0;
  let strange = 0;
  let wordKnown = 0;
  let wordStrange = 0;
  let shouted = 0;
  let run = 0;
  let mixed = 0;
  let emoji = 0;
  let styled = 0;
  let inside = 0;
  let previous = 0;
  let legible = 0;
  let hanLetters = 0;
  let kanaLetters = 0;
  for (let at = 0; at <= size; at++) {
    const code = at < size ? original.charCodeAt(at) : 32;
    const kind = classes[code]!;
    if (kind === 0 && (wordKnown > 0 || wordStrange > 0) && code < 0xd800) {
      // Strange letters inside a word of Latin ones are a disguise, not a language.
      if (wordKnown > 0) legible += wordKnown + wordStrange;
      else strange += wordStrange;
      wordKnown = 0;
      wordStrange = 0;
    }
    // Addresses and handles are Latin in every language.
    if ((code === 64 || (code === 104 && previous === 0)) && isAddress(original, at)) {
      while (at < size && original.charCodeAt(at) > 32) at++;
      previous = 0;
      continue;
    }
    if (kind === lower || kind === upper || kind === cyrillic || kind === foreign || kind >= han) {
      letters++;
      if (kind === upper) {
        uppers++;
        if (++run === 3) shouted++;
      } else run = 0;
      // In scripts without spaces a letter says as much as two or three Latin ones.
      if (kind === han) hanLetters += 2.5;
      else if (kind === kana) kanaLetters += 2.5;
      else if (kind === foreign && code >= 0x2e80) strange += 2.5;
      else if (kind === foreign) wordStrange++;
      else wordKnown++;
      // Latin beside Cyrillic or Greek in one word is a disguise.
      if (
        (previous === cyrillic && (kind === lower || kind === upper)) ||
        (kind === cyrillic && (previous === lower || previous === upper))
      )
        mixed++;
    } else {
      run = 0;
      if (kind === digit) digits++;
      else if (kind === unseen && (previous === lower || previous === upper || previous === cyrillic)) inside++;
      else if (code >= 0xd83c && code <= 0xd83e) emoji++;
      else if (code === 0xd835) {
        styled++;
        letters++;
        wordKnown++;
      } else if (code >= 0x2600 && code <= 0x27bf) emoji++;
    }
    previous = kind;
  }
  if (counts.hanEvidence >= hanEvidenceMin && kanaLetters <= hanLetters * kanaMax) legible += hanLetters;
  else strange += hanLetters;
  strange += kanaLetters;
  counts.hanShare = hanLetters === 0 ? 0 : hanLetters / (legible + strange);
  counts.known = strange === 0 ? 1 : legible / (legible + strange);
  const length = Math.max(1, folded.length);
  let at = 0;
  const put = (value: number): void => {
    into[at++] = value;
  };
  put(damp(counts.links));
  put(Math.min(1, counts.linkUnits / length));
  put(damp(counts.coins));
  put(damp(counts.phones));
  put(damp(counts.handles));
  put(damp(counts.emails));
  put(damp(counts.shortNumbers));
  put(damp(counts.percents));
  put(letters >= 8 ? uppers / letters : 0);
  put(damp(shouted / 2));
  put(digits / length);
  put(damp(counts.exclaims));
  put(damp(counts.questions));
  put(damp(emoji));
  put(damp(Math.min(hidden, inside)));
  put(damp(mixed / 2));
  put(damp(styled / 4));
  put(counts.spelled);
  put(damp(counts.leet / 2));
  put(damp(counts.stretched));
  put(Math.min(1, Math.log2(length) / 11));
  put(Math.min(1, length / 600));
  put(damp(counts.lines));
  put(counts.words === 0 ? 0 : 1 - counts.knownWords / counts.words);
  put(1 - 0.85 ** counts.families);
  put(Math.min(1, (counts.signs / length) * 4));
  put(counts.tokens <= 1 ? 1 : 0);
}

function isAddress(text: string, at: number): boolean {
  return text.charCodeAt(at) === 64
    ? at + 1 < text.length && text.charCodeAt(at + 1) > 32
    : text.startsWith('http', at);
}

/** 0, ½, ¾, ⅞… */
function damp(count: number): number {
  return 1 - 0.5 ** Math.min(count, 20);
}
