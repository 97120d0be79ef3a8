/** A user's notification settings. They are stored as one object; absent fields have the defaults below. */
import { eq, sql } from 'drizzle-orm';
import { duration } from '../../config/setting.ts';
import type { Database } from '../../database/connect.ts';
import { mails } from '../../database/tables/mail-tables.ts';
import { notificationSettings } from '../../database/tables/user-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import { hashUnsubscribeToken } from './unsubscribe-token.ts';

/** Local times of a time zone, `HH:MM`. A range such as 22:00 to 07:00 spans midnight. */
export interface QuietHours {
  readonly from: string;
  readonly to: string;
  /** An IANA name. */
  readonly timeZone: string;
}

export interface NotificationSettings {
  readonly email: {
    readonly enabled: boolean;
    /** Seconds, or a text such as `10m` or `2h`. The operator's delay is the minimum. */
    readonly delay?: number | string;
    /** `daily` and `weekly` collect unread messages into one mail in the morning. */
    readonly digest: 'off' | 'daily' | 'weekly';
    readonly quietHours?: QuietHours;
  };
  readonly push: { readonly enabled: boolean };
}

export const defaultNotifications: NotificationSettings = {
  email: { enabled: true, digest: 'off' },
  push: { enabled: true },
};

const delaySetting = duration('10m', '', { maxMs: 7 * 86_400_000 });

/** The user's own delay in milliseconds; undefined if none is set. */
export function ownDelayMs({ email }: NotificationSettings): number | undefined {
  if (email.delay === undefined) return undefined;
  const parsed = delaySetting.parse(email.delay);
  return 'value' in parsed ? parsed.value : undefined;
}

/** Completes settings that an older version may have stored. */
export function readNotifications(stored: Partial<NotificationSettings> | null | undefined): NotificationSettings {
  return {
    email: { ...defaultNotifications.email, ...stored?.email },
    push: { ...defaultNotifications.push, ...stored?.push },
  };
}

export interface NotificationService {
  readonly get: (userId: string) => Promise<NotificationSettings>;
  /** Replaces all settings. @throws Failure `invalid` for an unknown time zone or a malformed delay */
  readonly put: (userId: string, settings: NotificationSettings) => Promise<NotificationSettings>;
  /** Checks that the token belongs to a mail that was sent. @throws Failure `not_found` */
  readonly requireMailToken: (token: string) => Promise<void>;
  /** Turns unread mail off for the recipient of the mail with this token. A repeat changes nothing. @throws Failure `not_found` */
  readonly unsubscribe: (token: string) => Promise<void>;
}

export function createNotificationService(db: Database): NotificationService {
  async function recipientOf(token: string): Promise<string> {
    const [mail] = await db
      .select({ userId: mails.userId })
      .from(mails)
      .where(eq(mails.unsubscribeHash, hashUnsubscribeToken(token)));
    if (!mail) throw new Failure('not_found', 'this link is unknown or too old');
    return mail.userId;
  }

  return {
    get: async (userId) => {
      const [row] = await db
        .select({ settings: notificationSettings.settings })
        .from(notificationSettings)
        .where(eq(notificationSettings.userId, userId));
      return readNotifications(row?.settings);
    },
    put: async (userId, settings) => {
      requireSensible(settings);
      const row = { settings: { ...settings }, updatedAt: sql`now()` };
      await db
        .insert(notificationSettings)
        .values({ userId, ...row })
        .onConflictDoUpdate({ target: notificationSettings.userId, set: row });
      return settings;
    },
    requireMailToken: async (token) => {
      await recipientOf(token);
    },
    unsubscribe: async (token) => {
      const userId = await recipientOf(token);
      const { email, push } = defaultNotifications;
      await db
        .insert(notificationSettings)
        .values({ userId, settings: { email: { ...email, enabled: false }, push } })
        .onConflictDoUpdate({
          target: notificationSettings.userId,
          set: {
            settings: sql`jsonb_set(${notificationSettings.settings}, '{email,enabled}', 'false')`,
            updatedAt: sql`now()`,
          },
        });
    },
  };
}

function requireSensible(settings: NotificationSettings): void {
  const { delay, quietHours } = settings.email;
  if (delay !== undefined && ownDelayMs(settings) === undefined) {
    throw invalid('/email/delay', 'seconds, or 10m, 2h, 1d; at most 7 days');
  }
  if (!quietHours) return;
  if (quietHours.from === quietHours.to) throw invalid('/email/quietHours/to', 'must differ from "from"');
  if (!isTimeZone(quietHours.timeZone)) {
    throw invalid('/email/quietHours/timeZone', 'not a time zone such as Europe/Berlin');
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
