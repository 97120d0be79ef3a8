/** Checks texts that may have several lines: messages, edits, reasons and notes. One-line texts: `http/input/line-text.ts`. */
import { hash } from 'node:crypto';
import { Failure, type InputPath, invalid } from '../../errors.ts';
import { showsSomething } from '../../http/input/line-text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: looks for NUL, which Postgres cannot store.
const nul = /\u0000/;

/**
 * @param path the field that an error names
 * @param maxLength code points
 * @returns the text in NFC: this form is judged, stored and delivered
 * @throws Failure `invalid` or `too_large`
 */
export function requireText(text: string, path: InputPath, maxLength: number): string {
  const normal = requireOptionalText(text, path, maxLength);
  if (!showsSomething(normal)) throw invalid(path, 'is empty');
  return normal;
}

/** The same for a text that may be empty. */
export function requireOptionalText(text: string, path: InputPath, maxLength: number): string {
  if (!text.isWellFormed()) throw invalid(path, 'holds half a surrogate pair');
  if (nul.test(text)) throw invalid(path, 'holds NUL');
  // The cheap bound first: a code point is one or two code units.
  if (text.length > maxLength * 2) throw tooLong(path, maxLength);
  const normal = text.normalize('NFC');
  if (normal.length > maxLength && [...normal].length > maxLength) throw tooLong(path, maxLength);
  return normal;
}

function tooLong(path: InputPath, maxLength: number): Failure {
  const message = `at most ${maxLength} characters`;
  return new Failure('too_large', `${path.slice(1)}: ${message}`, { errors: [{ path, message }] });
}

/**
 * Compares the content of two sends with the same clientId: 64 bits of its SHA-256.
 * @param rest what the message holds besides, if anything
 */
export function contentDigest(text: string, replyTo: string | null, rest?: object): bigint {
  const others = rest === undefined ? '' : `\n${JSON.stringify(rest)}`;
  return hash('sha256', `${replyTo ?? ''}\n${text}${others}`, 'buffer').readBigInt64BE();
}
