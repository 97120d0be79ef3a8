/**
 * The chat role's client for verdicts. Concurrent calls travel together in batches over the streams of the processing instances,
 * each batch to the instance with the fewest in flight. Drafts wait in a queue until a judge has room for them
 * (send-pace.ts). The time for a verdict begins when a draft leaves the queue, so a burst waits or is refused early, and
 * nothing is judged too late. If an instance does not answer in its share of the time, another is asked as well, then the
 * local engine, all inside one deadline; the first verdict counts. No verdict is a failure, never an `allow`.
 */

import type { RetryBudgetSettings } from '../../concurrency/retry-budget.ts';
import { Failure } from '../../errors.ts';
import type { TextEngine } from '../engine/text-task.ts';
import { createBatchDelivery } from './batch-delivery.ts';
import { createDraftQueue } from './draft-queue.ts';
import { createJudgePool } from './judge-pool.ts';
import type { FallbackMode } from './no-verdict.ts';
import { createPendingDrafts, type PendingDraft, type PendingDraftEvents } from './pending-drafts.ts';
import type { ProcessingInstance } from './processing-instance.ts';
import type { DraftText, Verdict } from './verdict.ts';

export { type FallbackMode, NoVerdict } from './no-verdict.ts';
export type { DraftText, Verdict };

/**
 * Judges one draft; concurrent calls share batches.
 * @throws NoVerdict when nobody judged in time: the text may be shown to nobody but its sender
 */
export type Judge = (draft: DraftText) => Promise<Verdict>;

export interface ProcessingClientSettings {
  /** Longest time from asking an instance to its verdict. The engine of this process may take `queueWaitMs` longer. */
  readonly timeoutMs: number;
  /** Longest wait until a judge is asked. */
  readonly queueWaitMs: number;
  /** An instance's share of `timeoutMs`, after which others are asked as well. */
  readonly attemptTimeoutMs: number;
  readonly batchMax: number;
  /** UTF-16 units of one batch. */
  readonly batchWeightMax: number;
  /** Batches in flight to one instance. Further drafts gather for the next batch. */
  readonly inFlightMax: number;
  /** Drafts waiting for a batch; more are refused. */
  readonly queueMax: number;
  /** Anything but `local` is up to the caller, who reads it from `NoVerdict.mode`. */
  readonly fallback: FallbackMode;
  /** Bounds the drafts that a second instance is asked about. */
  readonly retries: RetryBudgetSettings;
}

export interface ProcessingClientEvents extends PendingDraftEvents {
  /** Drafts that a first instance left without a verdict: a second one was asked, or the budget did not allow it. */
  readonly onRetries?: (outcome: 'asked' | 'over_budget', count: number) => void;
}

export interface ProcessingClientOptions {
  readonly instances: readonly ProcessingInstance[];
  /** The only instance is the engine of this process. */
  readonly isInProcess?: boolean;
  /** Judges in the fallback mode `local`. */
  readonly local?: TextEngine;
  readonly settings: ProcessingClientSettings;
  readonly events?: ProcessingClientEvents;
}

export interface ProcessingClient {
  readonly judgeOne: Judge;
  /** Fails open calls and closes the streams. */
  readonly stop: () => void;
}

export function createProcessingClient(options: ProcessingClientOptions): ProcessingClient {
  const { instances, settings, events = {} } = options;
  const local = settings.fallback === 'local' ? options.local : undefined;
  const pending = createPendingDrafts(settings.fallback, events);
  const judges = createJudgePool(instances, local !== undefined, settings);
  const queueSettings = { queueMax: settings.queueMax, waitMaxMs: settings.queueWaitMs };
  const queue = createDraftQueue<PendingDraft>(queueSettings, judges.perMs, pending.refuse);
  const deliver = createBatchDelivery({
    pending,
    judges,
    isOnlyInstance: instances.length === 1,
    local,
    settings,
    onRetries: events.onRetries,
    onRoom: () => {
      if (queue.length() > 0) planFlush();
    },
  });
  let isFlushPlanned = false;
  let isStopped = false;

  function judgeOne(draft: DraftText): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const weight = draft.text.length;
      const entry: PendingDraft = { draft, weight, startedMs, deadlineAtMs: 0, isSettled: false, resolve, reject };
      if (isStopped) return pending.refuse([entry], new Failure('unavailable', 'the client stopped'));
      try {
        queue.add(entry);
      } catch (failure) {
        return pending.refuse([entry], failure);
      }
      planFlush();
    });
  }

  /** The calls of one tick of the event loop travel together. While all instances are busy, drafts gather. */
  function planFlush(): void {
    if (isFlushPlanned) return;
    isFlushPlanned = true;
    setImmediate(() => {
      isFlushPlanned = false;
      flush();
    });
  }

  function flush(): void {
    while (queue.length() > 0) {
      const instance = judges.pick();
      const available = judges.available();
      // Without any judge the batch is taken all the same, to be refused.
      const room = available.length > 0 ? judges.room(instance ?? 'local') : settings.batchMax;
      const isBusy = !instance && available.length > 0 && !available.includes('local');
      // The next judge to finish plans the next flush.
      if (room === 0 || isBusy) return;
      const batch = takeBatch(room);
      deliver(batch, instance).catch((error: unknown) => pending.refuse(batch, error));
    }
  }

  function takeBatch(room: number): PendingDraft[] {
    const countMax = Math.min(settings.batchMax, room);
    const batch = queue.take({ countMax, weightMax: settings.batchWeightMax });
    if (options.isInProcess) pending.startLocal(batch, settings.queueWaitMs + settings.timeoutMs);
    else pending.startRemote(batch, performance.now() + settings.timeoutMs);
    return batch;
  }

  return {
    judgeOne,
    stop: () => {
      isStopped = true;
      const stopped = new Failure('unavailable', 'the client stopped');
      pending.stop(stopped);
      pending.refuse(queue.clear(), stopped);
      for (const instance of instances) instance.stop();
    },
  };
}
