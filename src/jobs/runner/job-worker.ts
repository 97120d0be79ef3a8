/** Runs graphile-worker: restarts it when it ends, reports its failures as outages, and passes its log lines on. */
import { EventEmitter } from 'node:events';
import { type Runner, run, type TaskList, type WorkerEvents, Logger as WorkerLogger } from 'graphile-worker';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { parseDatabaseUrl } from '../../database/connection/database-url.ts';
import { poolingOf } from '../../database/connection/driver-options.ts';
import type { Pooling } from '../../database/connection/session-settings.ts';
import { linkLoss } from '../../database/database-errors.ts';
import type { JobPayloads } from '../../database/queue.ts';
import type { Outage } from '../../logger/outages.ts';
import { pause, QueuePool } from './queue-pool.ts';
import { payloadReaders, type Tasks } from './tasks.ts';

export interface JobWorkerOptions {
  readonly databaseUrl: string;
  readonly tasks: Partial<Tasks>;
  /** The tasks that this worker runs. */
  readonly names: readonly (keyof Tasks)[];
  readonly logger: Logger;
  /** The outage of the database. */
  readonly outage: Outage;
  /** The outage of notifications; without them jobs wait for the next poll. */
  readonly listening: Outage;
  readonly jobsTotal: Counter<'task' | 'result'>;
  /** Called with the name under which jobs are locked from now on, and the name that it replaces. */
  readonly onLockName: (name: string, before: string | undefined) => void;
  readonly settings: {
    readonly concurrency: number;
    readonly pollIntervalMs: number;
    readonly statementTimeoutMs: number;
    readonly connectTimeoutMs: number;
    readonly pooling: Pooling;
  };
}

export interface JobWorker {
  /** Ids of the running jobs. */
  readonly active: () => readonly string[];
  /** Waits for running jobs. */
  readonly stop: () => Promise<void>;
}

/** Returns at once; jobs run as soon as the database is available. */
export function startJobWorker(options: JobWorkerOptions): JobWorker {
  const { databaseUrl, logger, settings } = options;
  const stopping = new AbortController();
  const pool = new QueuePool(
    {
      url: databaseUrl,
      pooling: settings.pooling,
      // One connection listens for notifications, the others fetch and finish jobs.
      poolSize: settings.concurrency + 2,
      connectTimeout: settings.connectTimeoutMs,
      statementTimeout: settings.statementTimeoutMs,
      name: 'worker',
    },
    stopping.signal,
    (error) => logger.debug({ err: error }, 'a connection of the job worker broke'),
  );
  const events: WorkerEvents = new EventEmitter();
  let lockName: string | undefined;
  events.on('pool:create', ({ workerPool }) => {
    options.onLockName(workerPool.id, lockName);
    lockName = workerPool.id;
  });

  events.on('pool:listen:error', ({ error }) => options.listening.failed(error));
  events.on('pool:listen:success', options.listening.ended);

  const active = new Set<string>();
  let runner: Runner | undefined;

  async function supervise(): Promise<void> {
    for (let pauseMs = 250; !stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, 4000)) {
      try {
        runner = await run({
          pgPool: pool,
          noPreparedStatements: poolingOf(parseDatabaseUrl(databaseUrl), settings.pooling) === 'transaction',
          noHandleSignals: true,
          concurrency: settings.concurrency,
          pollInterval: settings.pollIntervalMs,
          taskList: toTaskList(options, active),
          logger: toWorkerLogger(logger),
          parsedCronItems: [],
          events,
        });
        pauseMs = 250;
        if (stopping.signal.aborted) await runner.stop();
        else await runner.promise;
      } catch (error) {
        if (linkLoss(error)) options.outage.failed(error);
        else logger.warn({ err: error }, 'the job worker ended and starts again');
      }
      await pause(pauseMs, stopping.signal);
    }
  }

  const supervising = supervise().catch((error: unknown) =>
    logger.error({ err: error }, 'the job worker stopped and will not start again'),
  );
  return {
    active: () => [...active],
    stop: async () => {
      stopping.abort();
      // Rejects if it has ended by itself meanwhile.
      await runner?.stop().catch((error: Error) => logger.debug({ err: error }, 'the job worker was stopping'));
      await supervising;
      await pool.endQuietly(1000);
    },
  };
}

function toTaskList({ tasks, names, logger, jobsTotal }: JobWorkerOptions, active: Set<string>): TaskList {
  const list: TaskList = {};
  for (const name of names) {
    list[name] = async (raw, { job }) => {
      active.add(job.id);
      try {
        const understood = await perform(tasks, name, raw);
        if (!understood) logger.warn({ task: name }, 'a job was dropped: its payload is not valid');
        jobsTotal.inc({ task: name, result: understood ? 'done' : 'refused' });
      } catch (error) {
        jobsTotal.inc({ task: name, result: 'failed' });
        throw error;
      } finally {
        active.delete(job.id);
      }
    };
  }
  return list;
}

/** @returns false for an invalid payload, for example of another build: a retry would not help */
async function perform<Task extends keyof JobPayloads>(
  tasks: Partial<Tasks>,
  name: Task,
  raw: unknown,
): Promise<boolean> {
  const payload = payloadReaders[name](raw);
  const task = tasks[name];
  if (payload === undefined || task === undefined) return false;
  await task(payload);
  return true;
}

function toWorkerLogger(logger: Logger): WorkerLogger {
  const levels = { error: 'warn', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  // Reported as an outage, with its end.
  const isOfLink = (message: string) => /notify listener|UNLISTEN/.test(message);
  return new WorkerLogger(
    (scope) => (level, message) => logger[isOfLink(message) ? 'debug' : levels[level]]({ scope }, message),
  );
}
