/**
 * When an unread mail may go out. Pure: instants are milliseconds by Postgres' clock and come in as arguments, the
 * only other source is the time zone table of the runtime.
 */
import {
  type NotificationSettings,
  ownDelayMs,
  type QuietHours,
} from '../../user/notifications/notification-settings.ts';

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
/** Looks at the clock for one due time; more than any real time zone needs. */
const stepsMax = 8;

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

/**
 * The first instant at or after `atMs` that is not quiet. Quiet hours go by the wall clock: if their end is skipped
 * because the clock is put forward, they end with the change; if the clock is put back into them, they go on.
 */
export function afterQuietHours(atMs: number, { from, to, timeZone }: QuietHours): number {
  const [begin, end] = [minuteOf(from), minuteOf(to)];
  const isQuiet = (ms: number) => {
    const { minute } = wallClock(ms, timeZone);
    return begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
  };
  let dueMs = atMs;
  // Each step ends at the wall clock's `end` or at a change of the clock, so two are usual and a few are the most.
  for (let step = 0; isQuiet(dueMs) && step < stepsMax; step++) {
    const endMs = untilMinute(dueMs, end, timeZone);
    dueMs = clockChangeBetween(dueMs, endMs, timeZone) ?? endMs;
  }
  return dueMs;
}

/**
 * The first digest hour at or after an instant; for weekly digests that of a Monday. A digest hour that the clock skips
 * is due when the clock is put forward; one that comes twice in a day is due the first time.
 */
export function nextDigest(atMs: number, digest: 'daily' | 'weekly', hour: number, timeZone: string): number {
  let dueMs = nextAt(atMs - 1, hour * 60, timeZone);
  for (let day = 0; digest === 'weekly' && day < 7 && wallClock(dueMs, timeZone).weekday !== 'Mon'; day++) {
    dueMs = nextAt(dueMs, hour * 60, timeZone);
  }
  return dueMs;
}

/** The first instant after `atMs` at which the wall clock comes to a minute of the day, or skips it. */
function nextAt(atMs: number, minute: number, timeZone: string): number {
  let fromMs = atMs + 1;
  for (let step = 0; step < stepsMax; step++) {
    if (fromMs % minuteMs === 0 && comesTo(fromMs, minute, timeZone)) return fromMs;
    const guessMs = untilMinute(fromMs, minute, timeZone);
    const changeMs = clockChangeBetween(fromMs, guessMs, timeZone);
    if (comesTo(changeMs ?? guessMs, minute, timeZone)) return changeMs ?? guessMs;
    fromMs = changeMs ?? guessMs + 1;
  }
  return fromMs;
}

/** Whether the wall clock comes to a minute of the day with this minute, for the first time in the day, or skips it. */
function comesTo(atMs: number, minute: number, timeZone: string): boolean {
  const [before, after] = [wallClock(atMs - minuteMs, timeZone).minute + 1, wallClock(atMs, timeZone).minute];
  if (after === minute && !isSecondTime(atMs, timeZone)) return true;
  const skipped = (after - before + dayMinutes) % dayMinutes;
  // More than half a day forward is a change back.
  return skipped < dayMinutes / 2 && (minute - before + dayMinutes) % dayMinutes < skipped;
}

/** Whether the wall clock showed the same a moment ago, before it was put back. */
function isSecondTime(atMs: number, timeZone: string): boolean {
  const now = wallClock(atMs, timeZone);
  return [30, 60, 120].some((minutes) => {
    const earlier = wallClock(atMs - minutes * minuteMs, timeZone);
    return earlier.minute === now.minute && earlier.weekday === now.weekday;
  });
}

/** When the wall clock would come to a minute of the day if nobody changed it; more than no time, at most a day away. */
function untilMinute(atMs: number, minute: number, timeZone: string): number {
  const wait = (minute - wallClock(atMs, timeZone).minute + dayMinutes) % dayMinutes || dayMinutes;
  return Math.floor(atMs / minuteMs) * minuteMs + wait * minuteMs;
}

/** The first instant after `fromMs` and not after `toMs` at which the wall clock is put forward or back. */
function clockChangeBetween(fromMs: number, toMs: number, timeZone: string): number | undefined {
  const drift = (ms: number) => {
    const passed = (Math.floor(ms / minuteMs) - Math.floor(fromMs / minuteMs)) % dayMinutes;
    return (wallClock(ms, timeZone).minute - wallClock(fromMs, timeZone).minute - passed + 2 * dayMinutes) % dayMinutes;
  };
  if (drift(toMs) === 0) return undefined;
  let [same, changed] = [Math.floor(fromMs / minuteMs), Math.floor(toMs / minuteMs)];
  while (changed - same > 1) {
    const middle = Math.floor((same + changed) / 2);
    if (drift(middle * minuteMs) === 0) same = middle;
    else changed = middle;
  }
  return changed * minuteMs;
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
