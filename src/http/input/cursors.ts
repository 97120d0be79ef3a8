/** Opaque cursors: the position of the next page of a list. They grant nothing: the content of a cursor is checked again. */
import { invalid } from '../../errors.ts';

export function writeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/**
 * @param kinds what each part must be
 * @throws Failure `invalid` for anything that this program did not write
 */
export function readCursor<const Kinds extends readonly ('string' | 'number' | 'uuid')[]>(
  cursor: string,
  kinds: Kinds,
): { [Index in keyof Kinds]: Kinds[Index] extends 'number' ? number : string } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw invalid('/cursor', 'not a cursor of this list');
  }
  const fits =
    Array.isArray(value) && value.length === kinds.length && kinds.every((kind, index) => matches(kind, value[index]));
  if (!fits) throw invalid('/cursor', 'not a cursor of this list');
  return value as { [Index in keyof Kinds]: Kinds[Index] extends 'number' ? number : string };
}

/** The id after which a list of ids goes on; undefined at its start. @throws Failure `invalid` */
export function readIdCursor(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : readCursor(cursor, ['uuid'])[0];
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function matches(kind: 'string' | 'number' | 'uuid', value: unknown): boolean {
  if (kind === 'number') return Number.isSafeInteger(value);
  return (
    typeof value === 'string' &&
    value.isWellFormed() &&
    !value.includes('\0') &&
    (kind === 'string' || uuid.test(value))
  );
}

/** Makes a page of rows that were read with one row more than its size. */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => string,
): { items: Row[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
