/** Reads what providers and host applications say of a person. Odd values count as absent. */
import { toLine } from '../http/line-text.ts';

/** Code points of a name that are looked at, and judged. */
const nameMax = 1024;

/** A text as it is; neither NUL nor half a surrogate pair, which Postgres cannot store. */
export function textOf(value: unknown, lengthMax = 2048): string | undefined {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= lengthMax &&
    value.isWellFormed() &&
    !value.includes('\0');
  return isText ? value : undefined;
}

/** A name made to fit one line. It cannot be refused: whoever typed it is not here. */
export function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' ? toLine(value.slice(0, nameMax * 2), nameMax) : undefined;
}
