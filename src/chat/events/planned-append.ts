/**
 * Appends what a transaction plans, at the next seq of its room. When another instance appended first, the plan is made
 * again with the state that follows.
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation, linkLoss, logLevelOf } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import type { LogEpoch } from '../../realtime/cluster/log-epoch.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { RoomState } from '../state/room-state.ts';
import { type DraftEvent, EventMissing, insertEvents, LogReplaced } from './event-repository.ts';
import type { LogReader } from './log-reader.ts';
import { unansweredFailure } from './queued-send.ts';
import { pauseBeforeRetry } from './retry-pause.ts';

export interface AppendPlan<Answer> {
  /** In order; they get the seqs from `nextSeq` on. None: there was nothing to change. */
  readonly events: readonly DraftEvent[];
  readonly answer: Answer;
  /**
   * What is written after the events: rows that a group commit locks after its events too. Taken before, the two would wait
   * for each other. Not called without events.
   */
  readonly after?: () => Promise<void>;
}

/** The room as of the seq before `nextSeq`: a transaction may rely on it. */
export interface AppendContext {
  readonly tx: Transaction;
  readonly state: RoomState;
  readonly nextSeq: number;
}

export type PlanAppend<Answer> = (context: AppendContext) => Promise<AppendPlan<Answer>>;

/** The plan's answer, and the seq of its last event. */
export interface Appended<Answer> {
  readonly answer: Answer;
  readonly seq: number;
  /** Postgres' clock, milliseconds; undefined without events. */
  readonly atMs: number | undefined;
}

export interface PlannedAppends {
  readonly append: <Answer>(
    feed: Feed<RoomState>,
    work: PlanAppend<Answer>,
    deadlineMs: number,
  ) => Promise<Appended<Answer>>;
}

export interface PlannedAppendsOptions {
  readonly db: Database;
  readonly hub: Pick<Hub<RoomState>, 'take' | 'announce' | 'catchUp'>;
  readonly reader: Pick<LogReader, 'read'>;
  readonly epoch: Pick<LogEpoch, 'epoch' | 'check' | 'remember' | 'suspect'>;
  readonly conflicts: Counter;
  /** A plan that is older is not made again in a log that has replaced the one that it was made for. */
  readonly admissionMs: number;
  readonly logger: Logger;
}

const attemptsMax = 50;

export function createPlannedAppends(options: PlannedAppendsOptions): PlannedAppends {
  const { db, hub, reader, epoch, conflicts, logger } = options;

  async function append<Answer>(
    feed: Feed<RoomState>,
    work: PlanAppend<Answer>,
    deadlineMs: number,
  ): Promise<Appended<Answer>> {
    /** An earlier try was lost on its way. It may have been committed, so no later failure is a definite one. */
    let maybeStored = false;
    const startedMs = performance.now();
    for (let attempt = 1; ; attempt++) {
      const nextSeq = feed.position + 1;
      try {
        return await tryOnce(feed, work, nextSeq);
      } catch (error) {
        const loss = error instanceof Failure ? undefined : linkLoss(error);
        if (loss === 'in-flight') maybeStored = true;
        const isOutdated = await updateView(error, feed, nextSeq);
        // In the log before, a retry of the client may have been refused for certain: see append-authority.ts.
        if (isOutdated && performance.now() - startedMs > options.admissionMs)
          throw unansweredFailure(maybeStored, error);
        const mayRetry = isOutdated || loss !== undefined || isUniqueViolation(error);
        const isLast = performance.now() > deadlineMs || attempt === attemptsMax;
        if (!mayRetry || isLast) throw mayRetry || maybeStored ? unansweredFailure(maybeStored, error) : error;
        conflicts.inc();
        if (loss) await pauseBeforeRetry();
        if (await isTakenForGood(error, feed, nextSeq)) throw maybeStored ? unansweredFailure(true, error) : error;
      }
    }
  }

  async function tryOnce<Answer>(
    feed: Feed<RoomState>,
    work: PlanAppend<Answer>,
    nextSeq: number,
  ): Promise<Appended<Answer>> {
    const { roomId } = feed;
    const { plan, atMs } = await db.transaction(async (tx) => {
      const planned = await work({ tx, state: feed.state, nextSeq });
      const place = { roomId, firstSeq: nextSeq, epoch: epoch.epoch() };
      const storedAtMs = planned.events.length === 0 ? undefined : await insertEvents(tx, place, planned.events);
      if (storedAtMs !== undefined) await planned.after?.();
      return { plan: planned, atMs: storedAtMs };
    });
    const lastSeq = nextSeq + plan.events.length - 1;
    if (atMs !== undefined) {
      epoch.remember({ roomId, seq: lastSeq, atMs });
      await announceStored(roomId, nextSeq, plan.events.length);
    }
    return { answer: plan.answer, seq: lastSeq, atMs };
  }

  /** @returns whether the try failed because this instance had not heard of another log or of a lost event, which it has now */
  async function updateView(error: unknown, { roomId }: Feed<RoomState>, nextSeq: number): Promise<boolean> {
    if (!(error instanceof LogReplaced || error instanceof EventMissing)) return false;
    const update = error instanceof LogReplaced ? epoch.check() : epoch.suspect(roomId, nextSeq - 1);
    await update.catch((cause: unknown) => {
      logger.warn({ cause }, 'the new log could not be read');
      return pauseBeforeRetry();
    });
    return true;
  }

  /**
   * Catches up with the room. A unique key other than the log's is taken for good unless an append of another instance
   * has taken it: then the plan is made again with the state that follows.
   */
  async function isTakenForGood(error: unknown, feed: Feed<RoomState>, nextSeq: number): Promise<boolean> {
    const isCaughtUp = await hub.catchUp(feed).then(
      () => true,
      (cause: unknown) => {
        logger.debug({ cause }, 'catch-up failed');
        return false;
      },
    );
    const isOtherKey = isUniqueViolation(error) && !isUniqueViolation(error, 'events');
    return isOtherKey && isCaughtUp && feed.position < nextSeq;
  }

  /** The events are committed. A failure from here on only delays readers. */
  async function announceStored(roomId: string, firstSeq: number, count: number): Promise<void> {
    try {
      const stored = await reader.read(roomId, firstSeq - 1, count);
      hub.take(roomId, stored);
      hub.announce([{ roomId, firstSeq, events: stored.map((event) => event.json) }]);
    } catch (error) {
      logger[logLevelOf(error)]({ error, roomId }, 'stored events could not be announced; readers will read them');
    }
  }

  return { append };
}
