/**
 * The job workers of one process, and their heartbeat: it keeps the process registered and releases the jobs of dead
 * workers. A processing instance has one pool (job-runner.ts) and a chat instance has one (room-jobs.ts).
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../../database/connect.ts';
import type { Pooling } from '../../database/connection/session-settings.ts';
import { linkLoss } from '../../database/database-errors.ts';
import { databaseOutage } from '../../database/database-probe.ts';
import type { Outages } from '../../logger/outages.ts';
import { type JobWorker, startJobWorker } from './job-worker.ts';
import { pause } from './queue-pool.ts';
import type { Tasks } from './tasks.ts';
import { createWorkerLease } from './worker-lease.ts';

export interface JobPoolSettings {
  readonly jobs: {
    readonly pollInterval: number;
    readonly heartbeat: number;
    readonly deadAfter: number;
    readonly stopTimeout: number;
  };
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pooling: Pooling;
}

export interface JobPoolOptions {
  readonly db: Database;
  /** For graphile-worker, which brings its own driver. */
  readonly databaseUrl: string;
  readonly workerId?: string;
  readonly tasks: Partial<Tasks>;
  /** One worker for each group of tasks, so that a slow group never delays another one. */
  readonly groups: readonly { readonly names: readonly (keyof Tasks)[]; readonly concurrency: number }[];
  /** Called with each heartbeat. */
  readonly onBeat?: (freedJobs: number) => Promise<void>;
  /** Ends what jobs may still be doing after the time to stop, before other workers get them. */
  readonly beforeRelease?: () => void;
  /** `parley_jobs_total`. */
  readonly jobsTotal: Counter<'task' | 'result'>;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly settings: JobPoolSettings;
}

export interface JobPool {
  /** Takes no more jobs, lets running jobs finish within `jobs.stopTimeout`, and releases the rest. */
  readonly stop: () => Promise<void>;
}

/** Returns at once. Jobs run as soon as the database is available. */
export function startJobPool(options: JobPoolOptions): JobPool {
  const { db, databaseUrl, tasks, logger, outages, settings, workerId = uuidv7() } = options;
  const { jobs, statementTimeoutMs, connectTimeoutMs, pooling } = settings;
  const lease = createWorkerLease({ db, workerId, deadAfterMs: jobs.deadAfter });
  const lockNames = new Set<string>();
  const stopping = new AbortController();

  function onLockName(name: string, before: string | undefined): void {
    // The old lock name is dropped, so that jobs which the earlier run still holds are released like a dead worker's.
    if (before !== undefined) lockNames.delete(before);
    lockNames.add(name);
    lease.renew([...lockNames]).catch((error: Error) => logger.debug({ err: error }, 'heartbeat'));
  }

  const workers: readonly JobWorker[] = options.groups.map(({ names, concurrency }) =>
    startJobWorker({
      ...{ databaseUrl, tasks, names, logger, onLockName },
      outage: databaseOutage(outages),
      listening: outages.of('Postgres (job notifications)'),
      jobsTotal: options.jobsTotal,
      settings: { concurrency, pollIntervalMs: jobs.pollInterval, statementTimeoutMs, connectTimeoutMs, pooling },
    }),
  );

  async function beat(): Promise<void> {
    await lease.renew([...lockNames]);
    const freed = await lease.freeDead({
      lockNames: [...lockNames],
      activeJobs: workers.flatMap((worker) => worker.active()),
    });
    if (options.onBeat) await options.onBeat(freed);
    else if (freed > 0) logger.warn({ freed }, 'took over from dead workers');
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
      options.beforeRelease?.();
      // Without this worker's row, other workers take over its claims and locks at once.
      await lease
        .end([...lockNames])
        .catch((error: Error) => logger.warn({ err: error }, 'the release of jobs failed'));
    },
  };
}
