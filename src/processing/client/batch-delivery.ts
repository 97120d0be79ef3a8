/**
 * Takes one batch from judge to judge until each draft has a verdict or its time is up: a first processing instance, then within
 * the budget for retries a second one, then the engine of this process.
 */

import { createRetryBudget, type RetryBudgetSettings } from '../../concurrency/retry-budget.ts';
import { Failure } from '../../errors.ts';
import type { TextEngine } from '../engine/text-task.ts';
import { toProcessRequest, toTask } from './draft-wire.ts';
import type { JudgePool } from './judge-pool.ts';
import type { PendingDraft, PendingDrafts } from './pending-drafts.ts';
import type { ProcessingInstance } from './processing-instance.ts';
import { toVerdict } from './verdict.ts';

export interface BatchDeliverySettings {
  readonly timeoutMs: number;
  readonly queueWaitMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: RetryBudgetSettings;
}

export interface BatchDeliveryOptions {
  readonly pending: PendingDrafts;
  readonly judges: JudgePool;
  /** No instance could be another's second. */
  readonly isOnlyInstance: boolean;
  readonly local: TextEngine | undefined;
  readonly settings: BatchDeliverySettings;
  readonly onRetries: ((outcome: 'asked' | 'over_budget', count: number) => void) | undefined;
  /** A judge has room again. */
  readonly onRoom: () => void;
}

/** Delivers one batch. @param first undefined: no instance answers, so the local engine is asked at once */
export type DeliverBatch = (batch: readonly PendingDraft[], first: ProcessingInstance | undefined) => Promise<void>;

/** `late`: the instance's share of the time is over. Its answer, should it come, still counts. */
type Answer = 'judged' | 'failed' | 'late';

/** This share of the deadline is kept for the local engine. */
const localShare = 0.3;

export function createBatchDelivery(options: BatchDeliveryOptions): DeliverBatch {
  const { pending, judges, local, settings, onRoom } = options;
  const budget = createRetryBudget(settings.retries);

  async function deliver(batch: readonly PendingDraft[], first: ProcessingInstance | undefined): Promise<void> {
    const answer = first ? await askTwice(batch, first) : 'failed';
    if (answer === 'judged') return;
    const left = batch.filter((entry) => !entry.isSettled);
    if (local) await judgeHere(left, local);
    else if (answer === 'failed') pending.refuse(left, new Failure('unavailable', 'no processing instance answers'));
    // Otherwise a late answer may still come, and the deadline decides.
  }

  async function askTwice(batch: readonly PendingDraft[], first: ProcessingInstance): Promise<Answer> {
    budget.called(batch.length);
    const answer = await ask(first, [batch]);
    const unsettled = answer === 'judged' ? [] : batch.filter((entry) => !entry.isSettled);
    const second = unsettled.length > 0 ? pickSecond(first, unsettled.length) : undefined;
    if (!second) return answer;
    // If one text held the first instance up, it must not hold up the others at the second: each is sent by itself.
    const parts = answer === 'late' ? unsettled.map((entry) => [entry]) : [unsettled];
    const again = await ask(second, parts);
    return again === 'failed' ? answer : again;
  }

  /** Another instance than the first, if there is one and the budget for retries allows it. */
  function pickSecond(first: ProcessingInstance, count: number): ProcessingInstance | undefined {
    const second = judges.pick(first);
    if (!second) return undefined;
    const isWithinBudget = budget.take(count);
    options.onRetries?.(isWithinBudget ? 'asked' : 'over_budget', count);
    return isWithinBudget ? second : undefined;
  }

  async function ask(instance: ProcessingInstance, parts: readonly (readonly PendingDraft[])[]): Promise<Answer> {
    const leftMs = Math.max(...parts.map((part) => part[0]!.deadlineAtMs)) - performance.now();
    if (leftMs <= 0) return 'late';
    const isAlone = !local && options.isOnlyInstance;
    const keptMs = local ? settings.timeoutMs * localShare : 0;
    const waitMs = isAlone ? leftMs : Math.min(settings.attemptTimeoutMs, leftMs - keptMs);
    if (waitMs <= 0) return 'failed';
    const late = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => {
      instance.breaker.failed('no verdict in its share of the time');
      late.resolve('late');
    }, waitMs);
    const answer = await Promise.race([sendParts(instance, parts, leftMs), late.promise]);
    clearTimeout(timer);
    return answer;
  }

  async function sendParts(
    instance: ProcessingInstance,
    parts: readonly (readonly PendingDraft[])[],
    timeoutMs: number,
  ): Promise<Answer> {
    const send = async (part: readonly PendingDraft[]) => {
      const requests = part.map(({ draft }) => toProcessRequest(draft));
      pending.accept(part, await instance.send(requests, timeoutMs), 'remote');
    };
    const count = parts.reduce((sum, part) => sum + part.length, 0);
    const results = await judges.paced(instance, count, () => Promise.allSettled(parts.map(send)), hasRejected);
    onRoom();
    return hasRejected(results) ? 'failed' : 'judged';
  }

  async function judgeHere(entries: readonly PendingDraft[], engine: TextEngine): Promise<void> {
    // The engine lives as long as this process: under load it may take as much longer as the queue may.
    pending.startLocal(entries, settings.queueWaitMs + settings.timeoutMs);
    const work = () => Promise.all(entries.map((entry) => judgeOneHere(entry, engine)));
    await judges.paced('local', entries.length, work, () => false);
    onRoom();
  }

  async function judgeOneHere(entry: PendingDraft, engine: TextEngine): Promise<void> {
    try {
      const deadlineMs = entry.deadlineAtMs - performance.now();
      const [result] = await engine.judge([toTask(entry.draft)], { deadlineMs });
      pending.accept([entry], [toVerdict(result!, engine.version())], 'local');
    } catch (error) {
      pending.refuse([entry], error);
    }
  }

  return deliver;
}

function hasRejected(results: readonly PromiseSettledResult<void>[]): boolean {
  return results.some(({ status }) => status === 'rejected');
}
