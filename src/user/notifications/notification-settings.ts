/** What a person wants to be told of, and when. Stored whole; what is absent has the defaults below. */
import { eq, sql } from 'drizzle-orm';
import { duration } from '../../config/setting.ts';
import type { Database } from '../../database/connect.ts';
import { mails } from '../../database/tables/mail-tables.ts';
import { notificationSettings } from '../../database/tables/user-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import { hashUnsubscribeToken } from './unsubscribe-token.ts';

/** Wall clock of a time zone, `HH:MM`; from 22:00 to 07:00 spans midnight. */
export interface QuietHours {
  readonly from: string;
  readonly to: string;
  /** IANA name. */
  readonly timeZone: string;
}

export interface NotificationSettings {
  readonly email: {
    readonly enabled: boolean;
    /** Seconds, or `10m`, `2h`; what is shorter than the operator's delay counts as that. */
    readonly delay?: number | string;
    /** daily and weekly gather what is unread into one mail in the morning. */
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

/** A person's own delay in milliseconds; undefined: none was chosen. */
export function ownDelayMs({ email }: NotificationSettings): number | undefined {
  if (email.delay === undefined) return undefined;
  const parsed = delaySetting.parse(email.delay);
  return 'value' in parsed ? parsed.value : undefined;
}

/** Stored settings of any age as those of this build. */
export function readNotifications(stored: Partial<NotificationSettings> | null | undefined): NotificationSettings {
  return {
    email: { ...defaultNotifications.email, ...stored?.email },
    push: { ...defaultNotifications.push, ...stored?.push },
  };
}

export interface NotificationService {
  readonly get: (userId: string) => Promise<NotificationSettings>;
  /** Replaces all of it. @throws Failure `invalid` for a time zone or a delay that is none */
  readonly put: (userId: string, settings: NotificationSettings) => Promise<NotificationSettings>;
  /** Is this the token of a mail that was sent? @throws Failure `not_found` */
  readonly requireMailToken: (token: string) => Promise<void>;
  /** Ends unread mail to the receiver of the mail with this token; again changes nothing. @throws Failure `not_found` */
  readonly unsubscribe: (token: string) => Promise<void>;
}

export function createNotificationService(db: Database): NotificationService {
  async function receiverOf(token: string): Promise<string> {
    const [mail] = await db
      .select({ userId: mails.userId })
      .from(mails)
      .where(eq(mails.unsubscribeHash, hashUnsubscribeToken(token)));
    if (!mail) throw new Failure('not_found', 'this link is not one of ours, or too old');
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
      await receiverOf(token);
    },
    unsubscribe: async (token) => {
      const userId = await receiverOf(token);
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
