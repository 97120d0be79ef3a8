/** Times on the wire. What comes in is checked before Postgres sees it: its calendar is not that of every text which looks like one. */
import { type InputPath, invalid } from '../../errors.ts';

/** Whole years that both calendars and RFC 3339 know. */
const earliestMs = Date.parse('0001-01-01T00:00:00.000Z');
const latestMs = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * @param text of the form of RFC 3339, which a schema has checked; it allows a second 60, a year 0, and offsets past the year 9999
 * @throws Failure `invalid` naming the field
 */
export function readTime(text: string, path: InputPath): Date {
  const time = new Date(text);
  const ms = time.getTime();
  if (!(ms >= earliestMs && ms <= latestMs)) throw invalid(path, 'not a time');
  return time;
}

/** RFC 3339, milliseconds. Its years have four digits: a time after them is written as the last one. */
export function writeTime(ms: number): string {
  return new Date(Math.min(ms, latestMs)).toISOString();
}
