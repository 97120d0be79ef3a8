/** Usernames for people whom somebody else vouches for: as close as possible to what they are called there. */
import { randomInt } from 'node:crypto';
import type { PersonClaims } from './identity-claims.ts';

/** Letters that Unicode does not decompose into a basic one and an accent, as they are written without them. */
const plainLetters: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', ł: 'l', Ł: 'L', đ: 'd', Đ: 'D' },
  ...{ ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ħ: 'h', Ħ: 'H', ı: 'i', ŋ: 'ng', Ŋ: 'Ng', ŧ: 't', Ŧ: 'T', ĸ: 'k' },
  ...{ ɓ: 'b', Ɓ: 'B', ɗ: 'd', Ɗ: 'D', ə: 'e', Ə: 'E', ɛ: 'e', Ɛ: 'E', ƒ: 'f', Ƒ: 'F', ɣ: 'g', Ɣ: 'G', ɩ: 'i', Ɩ: 'I' },
  ...{ ƙ: 'k', Ƙ: 'K', ɲ: 'ny', Ɲ: 'Ny', ɔ: 'o', Ɔ: 'O', ʋ: 'v', Ʋ: 'V', ƴ: 'y', Ƴ: 'Y', ƶ: 'z', Ƶ: 'Z' },
};
const special = new RegExp(`[${Object.keys(plainLetters).join('')}]`, 'gu');
/** Apostrophes and letters that are written as one: `O’Brien`, `Hawaiʻi`. */
const apostrophes = /['’‘ʼʻʹ`´]/gu;
const nameMax = 32;
/** A dash and its letters behind a name that is taken. */
const tailLength = 6;
/** Neither vowels nor letters and digits that look alike: what is drawn spells nothing. */
const tailLetters = '23456789bcdfghjkmnpqrstvwxz';
/** Each finds a name that is free, unless one of 27 ^ 6 tails is taken already. */
const tries = 5;

/**
 * What the person is called, then the same with a tail, then any name. None is checked for being free.
 *
 * @param isUsername whether it may be one: a reserved name gets no tail either
 */
export function* usernameCandidates(person: PersonClaims, isUsername: (name: string) => boolean): Generator<string> {
  const name = readableName(person, isUsername);
  if (name !== undefined) {
    yield name;
    for (let attempt = 0; attempt < tries; attempt++) yield `${cut(name, nameMax - 1 - tailLength)}-${tail()}`;
  }
  for (let attempt = 0; attempt < tries; attempt++) yield `user-${tail()}`;
}

/** The first of username, address and name that leaves something to read. */
function readableName(
  { username, email, name }: PersonClaims,
  isUsername: (name: string) => boolean,
): string | undefined {
  // Some providers tell an address as the username: what stands behind the @ is nobody's name.
  const sources = [username?.split('@')[0], email?.split('@')[0], name];
  for (const source of sources) {
    const written = source === undefined ? '' : toPlain(source);
    if (isUsername(written) && (/[A-Za-z]/.test(written) || written === source)) return written;
  }
  return undefined;
}

function toPlain(text: string): string {
  const letters = text
    .normalize('NFKD')
    .replace(special, (letter) => plainLetters[letter]!)
    .replace(/\p{M}/gu, '')
    .replace(apostrophes, '')
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '');
  return cut(letters, nameMax);
}

/** A name ends with neither a full stop nor a dash, so that it can be mentioned. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[.-]+$/, '');
}

function tail(): string {
  return Array.from({ length: tailLength }, () => tailLetters[randomInt(tailLetters.length)]).join('');
}
