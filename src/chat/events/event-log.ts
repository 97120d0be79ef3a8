/**
 * The writer of the room log. Every durable event enters here: messages in group commits, everything else in a
 * transaction of its own. The next seq is position + 1 as this instance knows the room; the primary key decides between
 * two instances. The loser catches up, checks again whether the author may post, and tries the next seq.
 *
 * An append goes: `room-queues` (wait for the room) → `commit-scheduler` (next batch) → `batch-commit` (check, number,
 * store) → `batch-settlement` (answer, announce), or `batch-recovery` if the statement fails. A transaction goes:
 * `room-queues` → `planned-append`. docs/internals/group-commit.md explains why.
 */
import type { Logger } from 'pino';
import type { Counter, Histogram } from 'prom-client';
import type { Database, Sql } from '../../database/connect.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { Outage } from '../../logger/outages.ts';
import type { LogEpoch } from '../../realtime/cluster/log-epoch.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { ModeratedDraft, SendOutcome } from '../state/message-draft.ts';
import type { RoomState } from '../state/room-state.ts';
import { createAppendAuthority, type RevocationView } from './append-authority.ts';
import { type AppendWithPartsOptions, createAppendWithParts, type PartsWriter } from './append-with-parts.ts';
import { createBatchCommit } from './batch-commit.ts';
import { createBatchRecovery } from './batch-recovery.ts';
import { createBatchSettlement } from './batch-settlement.ts';
import { CommitConnection } from './commit-connection.ts';
import { type CommitScheduler, createCommitScheduler } from './commit-scheduler.ts';
import { createContendedRooms } from './contended-rooms.ts';
import type { LogReader } from './log-reader.ts';
import { createMailJobsDue } from './mail-jobs-due.ts';
import { type Appended, createPlannedAppends, type PlanAppend } from './planned-append.ts';
import { createPostgresClock } from './postgres-clock.ts';
import { createRoomQueues, type RoomQueuesSettings } from './room-queues.ts';

export type { DraftEvent } from './event-repository.ts';
export type { AppendContext, AppendPlan } from './planned-append.ts';

export interface EventLogSettings extends RoomQueuesSettings {
  /** Commit connections (`database.lanes`). */
  readonly connections: number;
  /** Work that waits longer is refused. */
  readonly sendTimeout: number;
  /** A commit connection that is silent for longer is replaced. */
  readonly commitTimeout: number;
  /** Sent with each statement; undefined where the connection's session has it. */
  readonly lockTimeoutMs: number | undefined;
  /** A send that was admitted longer ago is not stored in a log that has replaced the one of its admission. */
  readonly admissionMs: number;
  /** Unread mail is due this long after a message; undefined: no mail. */
  readonly mailDelay: number | undefined;
  /** Links of messages get previews. */
  readonly previews: boolean;
}

export interface EventLogMetrics {
  readonly batches: Histogram;
  readonly commitSeconds: Histogram;
  readonly conflicts: Counter;
  readonly sends: Counter<'outcome'>;
}

export interface EventLogOptions {
  readonly db: Database;
  /** Opens a client with one connection. */
  readonly openConnection: () => Sql;
  readonly hub: Hub<RoomState>;
  readonly reader: LogReader;
  readonly revocations: RevocationView;
  readonly epoch: Pick<LogEpoch, 'epoch' | 'check' | 'remember' | 'suspect'>;
  /** What features store of messages that have more than a text. */
  readonly writers: readonly PartsWriter[];
  readonly recordFlag: AppendWithPartsOptions['recordFlag'];
  readonly metrics: EventLogMetrics;
  readonly logger: Logger;
  /** Of the database. */
  readonly outage: Outage;
  readonly settings: EventLogSettings;
}

export interface EventLog {
  /**
   * The room of an admitted draft as it is in memory now: it may have been dropped, or the log replaced. No promise if it is
   * still there. A send holds its place among those of its connection until this has an answer, so that a later send cannot
   * be queued before it.
   * @throws Failure `not_found`
   */
  readonly currentFeed: (feed: Feed<RoomState>) => Feed<RoomState> | Promise<Feed<RoomState>>;
  /**
   * Appends one message. Messages of one author to one room keep the order of the calls.
   * @throws Failure of authority, `conflict`, `unavailable` or `outcome_unknown`
   */
  readonly append: (draft: ModeratedDraft) => Promise<SendOutcome>;
  /**
   * Appends what `work` plans, in one transaction with whatever else it writes. `work` runs again when another instance
   * appended first, or inserted a row that it inserts (such as the same membership). So it decides by `state` alone and
   * writes through `tx` only.
   * @returns its answer, and the seq of its last event; without events the seq means nothing
   */
  readonly transact: <Answer>(roomId: string, work: PlanAppend<Answer>) => Promise<Appended<Answer>>;
  /** Postgres' clock, milliseconds since the epoch, as of the last commits. */
  readonly nowMs: () => number;
  /** The log that positions are of now. */
  readonly epoch: () => string;
  readonly waiting: () => number;
  /** The log was replaced: mail jobs that were queued with the one before may be gone. */
  readonly startOver: () => void;
  /** Resolves when nothing waits and nothing is on its way. */
  readonly drain: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const sweepMs = 10_000;

export function createEventLog(options: EventLogOptions): EventLog {
  const { hub, revocations, epoch, metrics, logger, settings } = options;
  const { lockTimeoutMs, mailDelay: mailDelayMs, previews } = settings;
  const clock = createPostgresClock();
  const contended = createContendedRooms();
  const mailJobs = createMailJobsDue(mailDelayMs, clock.nowMs);
  const connections = Array.from(
    { length: settings.connections },
    () => new CommitConnection({ open: options.openConnection, timeoutMs: settings.commitTimeout, logger }),
  );
  const authority = createAppendAuthority({
    ...{ ...revocations, epoch: epoch.epoch, nowMs: clock.nowMs },
    admissionMs: settings.admissionMs,
  });
  const planWithParts = createAppendWithParts({ ...options, authority, mailDelayMs, previews });
  const queues = createRoomQueues(settings, () => scheduler.plan());
  const commit = createBatchCommit({
    ...{ queues, contended, mailJobs, clock, revocations, epoch, metrics, logger },
    authority,
    settlement: createBatchSettlement({ hub, queues, epoch, contended, conflicts: metrics.conflicts, logger }),
    recovery: createBatchRecovery({ hub, queues, contended, outage: options.outage, logger }),
    settings: { mailDelayMs, lockTimeoutMs, previews },
  });
  const scheduler: CommitScheduler = createCommitScheduler({ queues, connections, commit });
  const planned = createPlannedAppends({
    ...options,
    conflicts: metrics.conflicts,
    admissionMs: settings.admissionMs,
  });
  let stopped = false;

  async function requireFeed(roomId: string): Promise<Feed<RoomState>> {
    const feed = await hub.feed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    return feed;
  }

  function currentFeed(feed: Feed<RoomState>): Feed<RoomState> | Promise<Feed<RoomState>> {
    return hub.loadedFeed(feed.roomId) === feed ? feed : requireFeed(feed.roomId);
  }

  async function append(draft: ModeratedDraft): Promise<SendOutcome> {
    let { feed } = draft;
    try {
      const current = currentFeed(feed);
      if (current !== feed) feed = await current;
      const outcome = draft.parts ? await appendWithParts(feed, draft) : await enqueue(feed, draft);
      metrics.sends.inc({ outcome: outcome.duplicate ? 'duplicate' : 'ok' });
      return outcome;
    } catch (error) {
      metrics.sends.inc({ outcome: toFailure(error).code });
      throw error;
    } finally {
      feed.state.releasePost(draft.authorId, draft.messageId);
    }
  }

  function enqueue(feed: Feed<RoomState>, draft: ModeratedDraft): Promise<SendOutcome> {
    return new Promise((resolve, reject) => {
      if (stopped) throw new Failure('unavailable', 'the server is going down', { retryAfterMs: 1000 });
      const deadlineMs = performance.now() + settings.sendTimeout;
      const waiting = { kind: 'send', seq: 0, deadlineMs, maybeStored: false, resolve, reject } as const;
      queues.push(feed, { ...draft, feed, ...waiting });
    });
  }

  async function appendWithParts(feed: Feed<RoomState>, draft: ModeratedDraft): Promise<SendOutcome> {
    const { answer, atMs } = await queueTransaction(feed, planWithParts({ ...draft, feed }));
    return atMs === undefined ? answer : { ...answer, atMs };
  }

  async function transact<Answer>(roomId: string, work: PlanAppend<Answer>): Promise<Appended<Answer>> {
    return queueTransaction(await requireFeed(roomId), work);
  }

  /** Queues in the same tick, so that a later send of the connection cannot be queued before. */
  function queueTransaction<Answer>(feed: Feed<RoomState>, work: PlanAppend<Answer>): Promise<Appended<Answer>> {
    const deadlineMs = performance.now() + settings.sendTimeout;
    return new Promise((resolve, reject) => {
      const run = () => planned.append(feed, work, deadlineMs).then(resolve, reject);
      queues.push(feed, { kind: 'transaction', deadlineMs, reject, run });
    });
  }

  const sweeper = setInterval(() => {
    mailJobs.forgetExpired();
    contended.forgetExpired();
  }, sweepMs);

  return {
    currentFeed,
    append,
    transact,
    nowMs: clock.nowMs,
    epoch: epoch.epoch,
    waiting: queues.waiting,
    startOver: mailJobs.clear,
    drain: queues.idle,
    stop: async () => {
      stopped = true;
      clearInterval(sweeper);
      queues.stop();
      scheduler.stop();
      await Promise.all(connections.map((connection) => connection.end()));
    },
  };
}
