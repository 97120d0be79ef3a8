/** Which texts of several lines may be stored: messages, edits, reasons and notes. One-line texts: `http/input/line-text.ts`. */
import { hash } from 'node:crypto';
import { Failure, type InputPath, invalid } from '../../errors.ts';
import { showsSomething } from '../../http/input/line-text.ts';

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
  if (!showsSomething(normal)) throw invalid(path, 'is empty');
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
