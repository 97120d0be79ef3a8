/** Usernames for people from an issuer, as close as possible to their names there. */
import { randomInt } from 'node:crypto';
import type { PersonClaims } from './identity-claims.ts';

/** ASCII spellings of letters that Unicode does not decompose into a base letter and an accent. */
const plainLetters: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', ł: 'l', Ł: 'L', đ: 'd', Đ: 'D' },
  ...{ ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ħ: 'h', Ħ: 'H', ı: 'i', ŋ: 'ng', Ŋ: 'Ng', ŧ: 't', Ŧ: 'T', ĸ: 'k' },
  ...{ ɓ: 'b', Ɓ: 'B', ɗ: 'd', Ɗ: 'D', ə: 'e', Ə: 'E', ɛ: 'e', Ɛ: 'E', ƒ: 'f', Ƒ: 'F', ɣ: 'g', Ɣ: 'G', ɩ: 'i', Ɩ: 'I' },
  ...{ ƙ: 'k', Ƙ: 'K', ɲ: 'ny', Ɲ: 'Ny', ɔ: 'o', Ɔ: 'O', ʋ: 'v', Ʋ: 'V', ƴ: 'y', Ƴ: 'Y', ƶ: 'z', Ƶ: 'Z' },
};
const special = new RegExp(`[${Object.keys(plainLetters).join('')}]`, 'gu');
/** Apostrophes and letters that look like one: `O’Brien`, `Hawaiʻi`. */
const apostrophes = /['’‘ʼʻʹ`´]/gu;
const nameMax = 32;
/** Letters after the dash that follows a taken name. */
const tailLength = 6;
/** Without vowels, so that no word results, and without letters and digits that look alike. */
const tailLetters = '23456789bcdfghjkmnpqrstvwxz';
/** Random names of each kind. One is nearly always free: there are 27 ^ 6. */
const tries = 5;

/**
 * Yields the person's name, then the same with a random tail, then random names. The caller tries which one is free.
 *
 * @param isUsername whether a text is allowed as a username; a reserved name is not used with a tail either
 */
export function* usernameCandidates(person: PersonClaims, isUsername: (name: string) => boolean): Generator<string> {
  const name = readableName(person, isUsername);
  if (name !== undefined) {
    yield name;
    for (let attempt = 0; attempt < tries; attempt++) yield `${cut(name, nameMax - 1 - tailLength)}-${tail()}`;
  }
  for (let attempt = 0; attempt < tries; attempt++) yield `user-${tail()}`;
}

/** The first of username, address and name that has a readable ASCII form. */
function readableName(
  { username, email, name }: PersonClaims,
  isUsername: (name: string) => boolean,
): string | undefined {
  // Some providers send an address as the username, whose domain is not part of the name.
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

/** Cuts the text. A name that ends with a full stop or a dash could not be mentioned. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[.-]+$/, '');
}

function tail(): string {
  return Array.from({ length: tailLength }, () => tailLetters[randomInt(tailLetters.length)]).join('');
}
