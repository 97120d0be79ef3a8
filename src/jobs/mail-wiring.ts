/** The parts of mail delivery: the ledger, the mailer, the texts, and the tasks over them. */
import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import type { Database } from '../database/connect.ts';
import type { Outages } from '../logger/outages.ts';
import { type IssueToken, prepareAccountMail } from './mail/account-mail.ts';
import { createDelivery, type Prepare } from './mail/mail-delivery.ts';
import { createMailLedger, type MailLedger } from './mail/mail-ledger.ts';
import { createRoomUnread } from './mail/room-unread.ts';
import { prepareUnreadMail } from './mail/unread-mail.ts';
import type { JobMetrics } from './runner/job-metrics.ts';
import { createTasks, type MailTasks } from './runner/tasks.ts';
import { mailHostOf } from './smtp/mail-host.ts';
import { createDevelopmentMailer, createSmtpMailer, type Mailer } from './smtp/mailer.ts';

export type MailSettings = Pick<Config, 'environment' | 'notifications' | 'smtp' | 'jobs'> & {
  /** URL at which browsers reach Parley, without a slash at the end. */
  readonly publicUrl: string;
  /** Lifetime of the links in account mails. */
  readonly tokenLifetimeMs: number;
};

export interface MailWiring {
  readonly tasks: MailTasks;
  readonly ledger: MailLedger;
  readonly mailer: Mailer;
}

export interface MailWiringOptions {
  readonly db: Database;
  /** Identifies this process in claims of mails. */
  readonly workerId: string;
  readonly issueToken: IssueToken;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly metrics: JobMetrics;
  readonly settings: MailSettings;
}

export function createMailWiring({
  db,
  workerId,
  issueToken,
  logger,
  outages,
  metrics,
  settings,
}: MailWiringOptions): MailWiring {
  const { email } = settings.notifications;
  const publicUrl = settings.publicUrl.replace(/\/+$/, '');
  const clock = { delayMs: email.delay, intervalMs: email.interval, digestHour: email.digestHour };
  const { bouncesMax, roomsMax, messagesMax, excerptMax } = email;
  const domain = mailHostOf(publicUrl);

  const mailer = chooseMailer({ db, logger, outages, metrics, settings });
  const ledger = createMailLedger({
    db,
    workerId,
    settings: { clock, bouncesMax },
    onFinished: (state, kind) => metrics.mails.inc({ state, kind }),
  });
  const deliver = createDelivery({
    db,
    ledger,
    mailer,
    logger,
    onAttempt: (outcome) => metrics.attempts.inc({ outcome }),
    settings: {
      retryPauseMs: settings.smtp.retryPause,
      retryPauseMaxMs: settings.smtp.retryPauseMax,
      attemptsMax: email.attemptsMax,
    },
  });
  const unreadMail = prepareUnreadMail({ clock, bouncesMax, roomsMax, messagesMax, excerptMax, publicUrl, domain });
  const roomUnread = createRoomUnread({ db, ledger, settings: { clock, bouncesMax } });
  const tasks = createTasks({
    // If mails are turned off, jobs that were queued before are dropped.
    roomUnread: email.enabled ? roomUnread : async () => {},
    unreadMail: email.enabled ? unreadMail : dropped,
    accountMail: prepareAccountMail({
      issueToken,
      settings: { publicUrl, domain, tokenLifetimeMs: settings.tokenLifetimeMs, perHourMax: email.accountPerHour },
    }),
    deliver,
  });
  return { tasks, ledger, mailer };
}

const dropped: Prepare = async () => ({ kind: 'cancel' });

function chooseMailer({
  db,
  logger,
  outages,
  metrics,
  settings,
}: Omit<MailWiringOptions, 'workerId' | 'issueToken'>): Mailer {
  const { smtp, notifications, environment, jobs } = settings;
  if (smtp.url !== undefined) {
    return createSmtpMailer({
      settings: {
        url: smtp.url,
        clientName: smtp.clientName ?? mailHostOf(settings.publicUrl),
        from: notifications.email.from,
        stageTimeoutMs: smtp.timeout,
        deadlineMs: smtp.deadline,
        failuresToOpen: smtp.failuresToOpen,
        probePauseMaxMs: smtp.probePauseMax,
        sessionMailsMax: smtp.sessionMailsMax,
        sessionIdleMs: smtp.sessionIdle,
      },
      outage: outages.of('SMTP'),
      onBreaker: (state) => metrics.smtpBreaker.set(state === 'closed' ? 0 : 1),
    });
  }
  if (environment !== 'production') return createDevelopmentMailer({ db, mailsMax: jobs.mailboxMax });
  logger.warn('no SMTP server is configured: mails wait for one');
  return { ready: () => false, deliver: async () => ({ kind: 'unavailable', reason: 'no server' }), stop: () => {} };
}
