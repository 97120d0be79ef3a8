import { expect, test } from 'vitest';
import { defaultNotifications, type NotificationSettings } from '../../user/notifications/notification-settings.ts';
import { afterQuietHours, mailDueAt, nextDigest } from './mail-schedule.ts';

const clock = { delayMs: 600_000, intervalMs: 3_600_000, digestHour: 8 };
const at = (iso: string) => Date.parse(iso);
const iso = (ms: number) => new Date(ms).toISOString();
const email = (changes: Partial<NotificationSettings['email']>): NotificationSettings => ({
  ...defaultNotifications,
  email: { ...defaultNotifications.email, ...changes },
});
const noon = at('2026-03-04T12:00:00Z');

test('a first mail is due after the delay', () => {
  const due = mailDueAt(defaultNotifications, { oldestMs: noon, lastMailMs: undefined, nowMs: noon }, clock);
  expect(due).toBe(noon + 600_000);
});

test('the next mail waits for the interval since the last one', () => {
  const due = mailDueAt(defaultNotifications, { oldestMs: noon, lastMailMs: noon - 60_000, nowMs: noon }, clock);
  expect(due).toBe(noon + 3_540_000);
});

test('a person may choose a longer delay, not a shorter one', () => {
  const since = { oldestMs: noon, lastMailMs: undefined, nowMs: noon };
  expect(mailDueAt(email({ delay: '2h' }), since, clock)).toBe(noon + 7_200_000);
  expect(mailDueAt(email({ delay: 30 }), since, clock)).toBe(noon + 600_000);
});

test('quiet hours over midnight end in the morning of their time zone', () => {
  const quiet = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };
  expect(iso(afterQuietHours(at('2026-01-10T22:30:00Z'), quiet))).toBe('2026-01-11T06:00:00.000Z');
  expect(iso(afterQuietHours(at('2026-01-11T05:59:59Z'), quiet))).toBe('2026-01-11T06:00:00.000Z');
  expect(iso(afterQuietHours(at('2026-01-11T06:00:00Z'), quiet))).toBe('2026-01-11T06:00:00.000Z');
  expect(iso(afterQuietHours(at('2026-01-11T20:59:00Z'), quiet))).toBe('2026-01-11T20:59:00.000Z');
});

test('quiet hours end by the wall clock in the night the clock is put forward', () => {
  const quiet = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };
  // 29 March 2026, 02:00 becomes 03:00: seven o'clock is 05:00 UTC then, not 06:00.
  expect(iso(afterQuietHours(at('2026-03-28T23:00:00Z'), quiet))).toBe('2026-03-29T05:00:00.000Z');
});

test('a mail that is overdue in quiet hours waits for their end', () => {
  const settings = email({ quietHours: { from: '11:00', to: '13:00', timeZone: 'UTC' } });
  const due = mailDueAt(settings, { oldestMs: noon - 7_200_000, lastMailMs: undefined, nowMs: noon }, clock);
  expect(iso(due)).toBe('2026-03-04T13:00:00.000Z');
});

test('digests go out at the next digest hour, weekly ones on Mondays', () => {
  expect(iso(nextDigest(noon, 'daily', 8, 'UTC'))).toBe('2026-03-05T08:00:00.000Z');
  expect(iso(nextDigest(at('2026-03-05T08:00:00Z'), 'daily', 8, 'UTC'))).toBe('2026-03-05T08:00:00.000Z');
  expect(iso(nextDigest(noon, 'weekly', 8, 'UTC'))).toBe('2026-03-09T08:00:00.000Z');
  expect(iso(nextDigest(noon, 'daily', 8, 'America/New_York'))).toBe('2026-03-04T13:00:00.000Z');
});

test('a digest that was due stays due', () => {
  const since = { oldestMs: noon, lastMailMs: undefined, nowMs: at('2026-03-05T08:00:30Z') };
  expect(iso(mailDueAt(email({ digest: 'daily' }), since, clock))).toBe('2026-03-05T08:00:00.000Z');
});
