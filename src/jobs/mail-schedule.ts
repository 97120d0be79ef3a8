/**
 * When an unread mail may go out. Pure: instants are milliseconds by Postgres' clock and come in as arguments, the
 * only other source is the time zone table of the runtime.
 */
import { type NotificationSettings, ownDelayMs, type QuietHours } from '../user/notification-settings.ts';

export interface MailClock {
  /** A message is mailed after being unread this long; people may choose longer. */
  readonly delayMs: number;
  /** At least this long between two mails to a member. */
  readonly intervalMs: number;
  /** Hour of the day, 0–23, at which daily and weekly digests go out. */
  readonly digestHour: number;
}

export interface UnreadSince {
  /** When the oldest message that is unread and in no mail yet was stored. */
  readonly oldestMs: number;
  /** When the last mail to this member was done with; undefined: never. */
  readonly lastMailMs: number | undefined;
  readonly nowMs: number;
}

const minuteMs = 60_000;
const dayMinutes = 1440;

/** The instant from which this mail may be sent: `nowMs` or earlier means now. */
export function mailDueAt(
  settings: NotificationSettings,
  { oldestMs, lastMailMs, nowMs }: UnreadSince,
  { delayMs, intervalMs, digestHour }: MailClock,
): number {
  const { digest, quietHours } = settings.email;
  const delay = Math.max(delayMs, ownDelayMs(settings) ?? 0);
  let dueMs = Math.max(oldestMs + delay, lastMailMs === undefined ? 0 : lastMailMs + intervalMs);
  if (digest !== 'off') dueMs = nextDigest(dueMs, digest, digestHour, quietHours?.timeZone ?? 'UTC');
  // What was due in the past goes out now, unless now is quiet.
  return quietHours ? afterQuietHours(Math.max(dueMs, nowMs), quietHours) : dueMs;
}

/** The same instant, or the end of the quiet hours it falls into. */
export function afterQuietHours(atMs: number, { from, to, timeZone }: QuietHours): number {
  const minute = wallClock(atMs, timeZone).minute;
  const [begin, end] = [minuteOf(from), minuteOf(to)];
  const quiet = begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
  return quiet ? nextAt(atMs, end, timeZone) : atMs;
}

/** The first digest hour at or after an instant; for weekly digests that of a Monday. */
export function nextDigest(atMs: number, digest: 'daily' | 'weekly', hour: number, timeZone: string): number {
  const { minute } = wallClock(atMs, timeZone);
  let dueMs = minute === hour * 60 && atMs % minuteMs === 0 ? atMs : nextAt(atMs, hour * 60, timeZone);
  for (let day = 0; digest === 'weekly' && day < 7 && wallClock(dueMs, timeZone).weekday !== 'Mon'; day++) {
    dueMs = nextAt(dueMs, hour * 60, timeZone);
  }
  return dueMs;
}

/** The first instant after `atMs` at which the wall clock shows a minute of the day. */
function nextAt(atMs: number, minute: number, timeZone: string): number {
  const wait = (minute - wallClock(atMs, timeZone).minute + dayMinutes) % dayMinutes || dayMinutes;
  const guess = Math.floor(atMs / minuteMs) * minuteMs + wait * minuteMs;
  // The clock may have been put forward or back on the way.
  const shift = minute - wallClock(guess, timeZone).minute;
  const nearest = shift > dayMinutes / 2 ? shift - dayMinutes : shift < -dayMinutes / 2 ? shift + dayMinutes : shift;
  return Math.max(guess + nearest * minuteMs, atMs + 1);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wallClock(atMs: number, timeZone: string): { minute: number; weekday: string } {
  let format = formats.get(timeZone);
  if (!format) {
    // There are some hundred names; each costs a few kB and a millisecond.
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  return { minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')), weekday: parts.get('weekday')! };
}

function minuteOf(wall: string): number {
  return Number(wall.slice(0, 2)) * 60 + Number(wall.slice(3, 5));
}
