/** Quiet hours and digests in every time zone of the runtime, around every change of its clock. */
import { expect, test } from 'vitest';
import { afterQuietHours, nextDigest } from './mail-schedule.ts';

const hourMs = 3_600_000;
const quarterMs = 900_000;
const zones = Intl.supportedValuesOf('timeZone');
const at = (iso: string) => Date.parse(iso);
const iso = (ms: number) => new Date(ms).toISOString();
const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats are dear to make, and there are few of them. */
function format(ms: number, locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormatPart[] {
  const key = JSON.stringify([locale, options]);
  const known = formats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  formats.set(key, known);
  return known.formatToParts(ms);
}

function offsetMinutes(ms: number, timeZone: string): number {
  const parts = format(ms, 'en-US', { timeZone, timeZoneName: 'longOffset' });
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(
    parts.find(({ type }) => type === 'timeZoneName')!.value,
  )!;
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** When the clock changes in 2026 and 2027, to the hour, one zone of each set of changes. */
function changes(): { timeZone: string; changeMs: number }[] {
  const seen = new Set<string>();
  const found: { timeZone: string; changeMs: number }[] = [];
  for (const timeZone of zones) {
    const days = Array.from({ length: 731 }, (_, day) => at('2026-01-01T00:00:00Z') + day * 24 * hourMs);
    const offsets = days.map((ms) => offsetMinutes(ms, timeZone));
    const own = days.flatMap((ms, day) => {
      if (day === 0 || offsets[day] === offsets[day - 1]) return [];
      const hour = Array.from({ length: 49 }, (_, half) => ms - 24 * hourMs + (half * hourMs) / 2).find(
        (each) => offsetMinutes(each, timeZone) === offsets[day],
      )!;
      return [hour];
    });
    const key = JSON.stringify([own, offsets[0]]);
    if (own.length === 0 || seen.has(key)) continue;
    seen.add(key);
    found.push(...own.map((changeMs) => ({ timeZone, changeMs })));
  }
  return found;
}

const wall = (ms: number, timeZone: string) =>
  format(ms, 'en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    .map(({ value }) => value)
    .join('');
const dateOf = (ms: number, timeZone: string) =>
  format(ms, 'en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
    .map(({ value }) => value)
    .join('');
const isQuiet = (time: string, from: string, to: string) =>
  from < to ? time >= from && time < to : time >= from || time < to;

test('quiet hours whose end is skipped by the clock end with the change, once', () => {
  // 28 March 2027 in Berlin: 02:00 becomes 03:00 at 01:00 UTC.
  const quiet = { from: '22:00', to: '02:30', timeZone: 'Europe/Berlin' };
  for (const time of ['2027-03-27T23:00:00Z', '2027-03-28T00:30:00Z', '2027-03-28T00:59:59.999Z'])
    expect(iso(afterQuietHours(at(time), quiet))).toBe('2027-03-28T01:00:00.000Z');
  for (const time of ['2027-03-28T01:00:00Z', '2027-03-28T01:15:00Z'])
    expect(afterQuietHours(at(time), quiet)).toBe(at(time));
});

test('after quiet hours it is not quiet, and no earlier instant would have done, around every change of every clock', () => {
  const wrong: string[] = [];
  for (const { timeZone, changeMs } of changes()) {
    for (const [from, to] of [
      ['22:00', '02:30'],
      ['00:15', '03:00'],
      ['01:30', '02:15'],
      ['23:30', '00:15'],
      ['02:30', '02:00'],
    ] as const) {
      for (let startMs = changeMs - 5 * hourMs; startMs <= changeMs + 3 * hourMs; startMs += 37 * 60_000) {
        const dueMs = afterQuietHours(startMs, { from, to, timeZone });
        // Looked for in steps of a quarter of an hour, at which all clocks and these quiet hours change.
        let expected = startMs;
        while (isQuiet(wall(expected, timeZone), from, to))
          expected = (Math.floor(expected / quarterMs) + 1) * quarterMs;
        if (dueMs !== expected)
          wrong.push(`${timeZone} ${from}-${to} ${iso(startMs)}: ${iso(dueMs)}, ${iso(expected)}`);
        if (wrong.length > 5) break;
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('a daily digest is due once a day in every time zone, also where its hour is skipped or comes twice', () => {
  const wrong: string[] = [];
  for (const { timeZone, changeMs } of changes()) {
    for (const hour of [0, 1, 2, 3, 8]) {
      const days: string[] = [];
      for (let dueMs = nextDigest(changeMs - 72 * hourMs, 'daily', hour, timeZone); dueMs < changeMs + 72 * hourMs; ) {
        days.push(dateOf(dueMs, timeZone));
        const nextMs = nextDigest(dueMs + 1, 'daily', hour, timeZone);
        if (nextMs <= dueMs) break;
        dueMs = nextMs;
      }
      if (days.length < 5 || days.length > 7 || new Set(days).size !== days.length)
        wrong.push(`${timeZone} at ${hour}: ${days.join(' ')}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('a digest that is due at this instant is due now', () => {
  expect(iso(nextDigest(at('2027-03-28T01:00:00Z'), 'daily', 2, 'Europe/Berlin'))).toBe('2027-03-28T01:00:00.000Z');
  // 31 October 2027 in Berlin: 03:00 becomes 02:00 at 01:00 UTC, so 02:00 comes at 00:00 and 01:00 UTC.
  expect(iso(nextDigest(at('2027-10-31T00:00:01Z'), 'daily', 2, 'Europe/Berlin'))).toBe('2027-11-01T01:00:00.000Z');
});
