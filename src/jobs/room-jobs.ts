/**
 * Runs the jobs that change rooms: scheduled messages, polls that close, previews that arrive. They run in chat instances,
 * because only those have what an append needs: the event log with its epoch, the room as of its newest seq, the
 * permission table over it, verdicts, and the hub and hints through which readers get the event at once. A job calls the
 * same services as a request does and so keeps the same guarantees; there is no second way into the log
 * (docs/decisions/0024-room-jobs.md).
 *
 * To add a room job:
 *
 * 1. `JobPayloads` in database/queue.ts: its name and payload, ids only.
 * 2. `roomTasks` and `payloadReaders` in runner/tasks.ts.
 * 3. The task, in its feature's wiring (`tasks: {…}` of `ConversationWiring`). It appends with `eventLog.transact(roomId, …)`,
 *    or sends with the message service. It does not compile until it is there.
 * 4. `addJob(tx, …)` in the transaction that causes the job.
 *
 * The queue runs a job at least once: twice after a kill between the append and the end of the job, and at the same time
 * as another run if a worker was taken for dead. So the transaction of the append decides by a row that it locks: whether
 * the poll is closed, whether the message was sent (its clientId answers too). A thrown error repeats the job with
 * growing pauses; a `Failure` that is not retryable means that the job is over, and the task records that.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Database } from '../database/connect.ts';
import type { Outages } from '../logger/outages.ts';
import { jobsCounter } from './runner/job-metrics.ts';
import { type JobPool, type JobPoolSettings, startJobPool } from './runner/job-pool.ts';
import { type RoomTasks, roomTasks } from './runner/tasks.ts';

export interface RoomJobsOptions {
  readonly db: Database;
  /** For graphile-worker, which brings its own driver. */
  readonly databaseUrl: string;
  readonly tasks: RoomTasks;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly settings: JobPoolSettings & { readonly jobs: { readonly roomConcurrency: number } };
}

/** Returns at once. Jobs run as soon as the database is available. */
export function startRoomJobs({ registry, settings, ...options }: RoomJobsOptions): JobPool {
  return startJobPool({
    ...options,
    settings,
    jobsTotal: jobsCounter(registry),
    groups: [{ names: roomTasks, concurrency: settings.jobs.roomConcurrency }],
  });
}
