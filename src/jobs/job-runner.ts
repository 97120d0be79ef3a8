/** Runs the jobs of a processing instance: mails, and whatever else changes no room. With each heartbeat it queues jobs for overdue mails. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import type { Config } from '../config/load.ts';
import type { Database } from '../database/connect.ts';
import type { Outages } from '../logger/outages.ts';
import { createOutboundClient } from '../outbound/outbound-client.ts';
import type { IssueToken } from './mail/account-mail.ts';
import { ringOverdue, tidyMails } from './mail/mail-sweep.ts';
import { createMailWiring, type MailSettings } from './mail-wiring.ts';
import { createLinkPreviews } from './previews/link-previews.ts';
import { createPageFetcher } from './previews/page-fetcher.ts';
import { createJobMetrics, type JobMetrics } from './runner/job-metrics.ts';
import { type JobPool, type JobPoolSettings, startJobPool } from './runner/job-pool.ts';
import { fetchTasks, mailTasks, otherTasks, type ProcessingTasks } from './runner/tasks.ts';

export type JobRunnerSettings = MailSettings & JobPoolSettings & Pick<Config, 'previews' | 'outbound'>;

export interface JobRunnerOptions {
  readonly db: Database;
  /** For graphile-worker, which brings its own driver. */
  readonly databaseUrl: string;
  readonly issueToken: IssueToken;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly registry: Registry;
  readonly settings: JobRunnerSettings;
}

export type JobRunner = JobPool;

/** Jobs for overdue mails start spread over this time. */
const ringSpreadMaxMs = 10_000;

/** Returns at once. Jobs run as soon as the database is available. */
export function startJobRunner(options: JobRunnerOptions): JobRunner {
  const { db, databaseUrl, issueToken, logger, outages, registry, settings } = options;
  const { jobs, smtp } = settings;
  const workerId = uuidv7();
  const metrics = createJobMetrics(registry);
  const mails = createMailWiring({ db, workerId, issueToken, logger, outages, metrics, settings });
  const { ledger, mailer } = mails;
  const tasks: ProcessingTasks = { ...mails.tasks, link_previews: createPreviewTask(options, metrics) };
  // Longer than any SMTP conversation with the statements before and after it.
  const claimMs = 2 * smtp.deadline + 60_000;

  async function onBeat(freed: number): Promise<void> {
    const recovered = await ledger.recover(jobs.deadAfter, claimMs);
    if (recovered > 0) metrics.recovered.inc(recovered);
    if (freed + recovered > 0) logger.warn({ freed, recovered }, 'took over from dead workers');
    if (mailer.ready()) await ringOverdue(db, Math.min(jobs.heartbeat, ringSpreadMaxMs));
    await tidyMails(db, jobs.keepMails);
  }

  return startJobPool({
    ...{ db, databaseUrl, workerId, tasks, onBeat, logger, outages, settings },
    jobsTotal: metrics.jobs,
    beforeRelease: mailer.stop,
    groups: [
      { names: mailTasks, concurrency: settings.notifications.email.concurrency },
      ...(settings.previews.enabled
        ? [
            { names: otherTasks, concurrency: jobs.concurrency },
            { names: fetchTasks, concurrency: settings.previews.concurrency },
          ]
        : [{ names: [...otherTasks, ...fetchTasks], concurrency: jobs.concurrency }]),
    ],
  });
}

/** If previews are turned off, jobs that were queued before are dropped. */
function createPreviewTask(
  { db, logger, settings }: JobRunnerOptions,
  { linkFetches }: JobMetrics,
): ProcessingTasks['link_previews'] {
  const { previews, outbound, publicUrl } = settings;
  if (!previews.enabled) return async () => {};
  const client = createOutboundClient({ ...outbound, timeoutMs: outbound.timeout });
  return createLinkPreviews({
    ...{ db, logger },
    fetchPage: createPageFetcher(client),
    onFetched: (outcome) => linkFetches.inc({ outcome }),
    settings: { ...previews, ownOrigin: new URL(publicUrl).origin },
  });
}
