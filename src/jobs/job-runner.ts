/**
 * Runs jobs. A heartbeat beside the workers keeps this process registered, releases the jobs of dead workers, and queues
 * jobs for overdue mails.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../database/connect.ts';
import type { Pooling } from '../database/connection/session-settings.ts';
import { linkLoss } from '../database/database-errors.ts';
import { databaseOutage } from '../database/database-probe.ts';
import type { Outages } from '../logger/outages.ts';
import type { IssueToken } from './mail/account-mail.ts';
import { ringOverdue, tidyMails } from './mail/mail-sweep.ts';
import { createMailWiring, type MailSettings } from './mail-wiring.ts';
import { createJobMetrics } from './runner/job-metrics.ts';
import { type JobWorker, startJobWorker } from './runner/job-worker.ts';
import { pause } from './runner/queue-pool.ts';
import { mailTasks, otherTasks, type Tasks } from './runner/tasks.ts';
import { createWorkerLease } from './runner/worker-lease.ts';

export interface JobRunnerSettings extends MailSettings {
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pooling: Pooling;
}

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

export interface JobRunner {
  /** Takes no more jobs, lets running jobs finish within `jobs.stopTimeout`, and releases the rest. */
  readonly stop: () => Promise<void>;
}

/** Jobs for overdue mails start spread over this time. */
const ringSpreadMaxMs = 10_000;

/** Returns at once. Jobs run as soon as the database is available. */
export function startJobRunner({
  db,
  databaseUrl,
  issueToken,
  logger,
  outages,
  registry,
  settings,
}: JobRunnerOptions): JobRunner {
  const { jobs, smtp } = settings;
  const workerId = uuidv7();
  const metrics = createJobMetrics(registry);
  const { tasks, ledger, mailer } = createMailWiring({ db, workerId, issueToken, logger, outages, metrics, settings });
  const lease = createWorkerLease({ db, workerId, deadAfterMs: jobs.deadAfter });
  const lockNames = new Set<string>();
  const stopping = new AbortController();
  // Longer than any SMTP conversation with the statements before and after it.
  const claimMs = 2 * smtp.deadline + 60_000;

  function startWorker(names: readonly (keyof Tasks)[], concurrency: number): JobWorker {
    return startJobWorker({
      databaseUrl,
      tasks,
      names,
      logger,
      outage: databaseOutage(outages),
      listening: outages.of('Postgres (job notifications)'),
      metrics,
      onLockName: (name, before) => {
        // The old lock name is dropped, so that jobs which the earlier run still holds are released like a dead worker's.
        if (before !== undefined) lockNames.delete(before);
        lockNames.add(name);
        lease.renew([...lockNames]).catch((error: Error) => logger.debug({ err: error }, 'heartbeat'));
      },
      settings: {
        concurrency,
        pollIntervalMs: jobs.pollInterval,
        statementTimeoutMs: settings.statementTimeoutMs,
        connectTimeoutMs: settings.connectTimeoutMs,
        pooling: settings.pooling,
      },
    });
  }

  // Separate workers, so that a slow mail server never delays other jobs.
  const workers = [
    startWorker(mailTasks, settings.notifications.email.concurrency),
    startWorker(otherTasks, jobs.concurrency),
  ];
  async function beat(): Promise<void> {
    await lease.renew([...lockNames]);
    const freed = await lease.freeDead({
      lockNames: [...lockNames],
      activeJobs: workers.flatMap((worker) => worker.active()),
    });
    const recovered = await ledger.recover(jobs.deadAfter, claimMs);
    if (recovered > 0) metrics.recovered.inc(recovered);
    if (freed + recovered > 0) logger.warn({ freed, recovered }, 'took over from dead workers');
    if (mailer.ready()) await ringOverdue(db, Math.min(jobs.heartbeat, ringSpreadMaxMs));
    await tidyMails(db, jobs.keepMails);
  }

  async function keepBeating(): Promise<void> {
    const outage = databaseOutage(outages);
    while (!stopping.signal.aborted) {
      try {
        await beat();
        outage.ended();
      } catch (error) {
        if (linkLoss(error)) outage.failed(error);
        else logger.warn({ err: error }, 'the heartbeat of the job worker failed');
      }
      await pause(jobs.heartbeat, stopping.signal);
    }
  }

  const beating = keepBeating().catch((error: unknown) =>
    logger.error({ err: error }, 'the heartbeat of the job worker stopped'),
  );

  return {
    stop: async () => {
      stopping.abort();
      const done = new AbortController();
      const stopped = Promise.all([...workers.map((worker) => worker.stop()), beating]).finally(() => done.abort());
      await Promise.race([stopped, pause(jobs.stopTimeout, done.signal)]);
      mailer.stop();
      // Without this worker's row, other workers take over its claims and locks at once.
      await lease
        .end([...lockNames])
        .catch((error: Error) => logger.warn({ err: error }, 'the release of jobs failed'));
    },
  };
}
