/** What text may be stored: the first thing asked of every message, edit, name and topic. */
import { hash } from 'node:crypto';
import { Failure, type InputPath, invalid } from '../../errors.ts';

/** Characters that show nothing: controls, spaces, zero-width and bidi marks, variation selectors, tags, fillers. */
const invisible = /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u115f\u1160\u3164\uffa0\u2800]*$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is looked for; Postgres cannot store it.
const nul = /\u0000/;

/**
 * @param path the field, for the complaint
 * @param maxLength code points
 * @returns the text in NFC, as it is judged, stored and delivered
 * @throws Failure `invalid` or `too_large`
 */
export function requireText(text: string, path: InputPath, maxLength: number): string {
  if (!text.isWellFormed()) throw invalid(path, 'holds half a surrogate pair');
  if (nul.test(text)) throw invalid(path, 'holds NUL');
  // A code point is one or two code units: the cheap bound first.
  if (text.length > maxLength * 2) throw tooLong(path, maxLength);
  const normal = text.normalize('NFC');
  if (normal.length > maxLength && [...normal].length > maxLength) throw tooLong(path, maxLength);
  if (invisible.test(normal)) throw invalid(path, 'is empty');
  return normal;
}

function tooLong(path: InputPath, maxLength: number): Failure {
  const message = `at most ${maxLength} characters`;
  return new Failure('too_large', `${path.slice(1)}: ${message}`, { errors: [{ path, message }] });
}

/** What a repeat of a clientId is compared by: 64 bits of the content's SHA-256. */
export function contentDigest(text: string, replyTo: string | null): bigint {
  return hash('sha256', `${replyTo ?? ''}\n${text}`, 'buffer').readBigInt64BE();
}
