/**
 * The chat role's way to a verdict: concurrent calls travel together in batches over the streams of the peers, each batch
 * to the peer with the fewest in flight. Drafts wait in a queue until a judge has room for them (send-pace.ts), and the time for
 * their verdict begins when they leave it, so a burst waits or is refused early and nothing is judged too late. A peer that does not answer in its share of the time is doubled by another, then
 * by the local engine, all inside one deadline; the first verdict counts. No verdict is a failure, never an `allow`.
 */

import { createRetryBudget, type RetryBudgetSettings } from '../../concurrency/retry-budget.ts';
import { Failure } from '../../errors.ts';
import type { TextEngine } from '../engine/text-task.ts';
import { createDeadlines } from './deadlines.ts';
import { createDraftQueue, type QueuedDraft, QueueFull } from './draft-queue.ts';
import { toProcessRequest, toTask } from './draft-wire.ts';
import type { ProcessingInstance } from './processing-instance.ts';
import { createSendPace, type SendPace } from './send-pace.ts';
import { type DraftText, toVerdict, type Verdict } from './verdict.ts';

export type { DraftText, Verdict };

/**
 * One draft's way to its verdict; concurrent calls travel together. What the chat features are handed.
 * @throws NoVerdict when nobody judged in time: nothing of the text may be shown to anyone but its sender
 */
export type Judge = (draft: DraftText) => Promise<Verdict>;

export type FallbackMode = 'local' | 'refuse' | 'pending' | 'open';

export interface ProcessingClientSettings {
  /** A peer's verdict is there within this time from when it was asked. The engine of this process may take `queueWaitMs` longer. */
  readonly timeoutMs: number;
  /** Longest wait until a judge is asked. */
  readonly queueWaitMs: number;
  /** A peer's share of it, after which others are asked as well. */
  readonly attemptTimeoutMs: number;
  readonly batchMax: number;
  /** UTF-16 units of one batch. */
  readonly batchWeightMax: number;
  /** Batches in flight to one peer; meanwhile drafts gather for the next one. */
  readonly inFlightMax: number;
  /** Drafts waiting for a batch; more are refused. */
  readonly queueMax: number;
  /** `local` judges in this process; what the others mean is up to the caller, who reads it from `NoVerdict.mode`. */
  readonly fallback: FallbackMode;
  /** Drafts that a second peer is asked for. */
  readonly retries: RetryBudgetSettings;
}

export interface ProcessingClientEvents {
  /** Where verdicts came from; `none`: nobody judged in time. */
  readonly onVerdicts?: (source: 'remote' | 'local' | 'none', count: number) => void;
  /** Drafts that a first peer left without a verdict: asked of a second one, or not for want of budget. */
  readonly onRetries?: (outcome: 'asked' | 'over_budget', count: number) => void;
  /** Milliseconds from the call to its verdict, or to the end of its time. */
  readonly onJudged?: (milliseconds: number) => void;
}

export interface ProcessingClientOptions {
  readonly peers: readonly ProcessingInstance[];
  /** The only peer is the engine of this process. */
  readonly isInProcess?: boolean;
  /** Judges in the fallback mode `local`. */
  readonly local?: TextEngine;
  readonly settings: ProcessingClientSettings;
  readonly events?: ProcessingClientEvents;
}

export interface ProcessingClient {
  readonly judgeOne: Judge;
  /** Fails what is open and closes the streams. */
  readonly stop: () => void;
}

/** Nobody judged in time. `mode` is what the deployment wants done; whoever does not look at it refuses the text. */
export class NoVerdict extends Failure {
  readonly mode: FallbackMode;

  constructor(mode: FallbackMode, cause: unknown) {
    const full = cause instanceof QueueFull ? cause : undefined;
    const retryAfterMs = full?.retryAfterMs ?? 1000;
    super('unavailable', full?.message ?? 'no verdict in time', { retryAfterMs, cause });
    this.mode = mode;
  }
}

interface Pending extends QueuedDraft {
  readonly draft: DraftText;
  /** Set when a judge is asked. */
  deadlineAtMs: number;
  settled: boolean;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: NoVerdict) => void;
}

type Source = 'remote' | 'local';

/** This much of the deadline is kept for the local engine. */
const localShare = 0.3;
/** Batches should be answered in this share of the deadline: what is unusual then still has time. */
const targetShare = 0.25;
const windowStart = 64;
const windowMin = 16;

export function createProcessingClient(options: ProcessingClientOptions): ProcessingClient {
  const { peers, settings, events = {} } = options;
  const local = settings.fallback === 'local' ? options.local : undefined;
  const dueMs = ({ deadlineAtMs }: Pending) => deadlineAtMs;
  const onDue = (late: readonly Pending[]) => refuse(late, new Failure('unavailable', 'the time is up'));
  /** Drafts that a judge was asked about. */
  const asked = createDeadlines<Pending>(dueMs, onDue);
  /** Of these, the ones that the engine of this process judges. It lives as long as the process: under load it may take longer. */
  const askedHere = createDeadlines<Pending>(dueMs, onDue);
  const paces = new Map<ProcessingInstance | undefined, SendPace>();
  const queue = createDraftQueue<Pending>(
    { queueMax: settings.queueMax, waitMaxMs: settings.queueWaitMs },
    () => judges().reduce((sum, judge) => sum + paceOf(judge).perMs(), 0),
    refuse,
  );
  let flushPlanned = false;
  const budget = createRetryBudget(settings.retries);
  let turn = 0;
  let stopped = false;

  function judgeOne(draft: DraftText): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const weight = draft.text.length;
      const entry: Pending = { draft, weight, startedMs, deadlineAtMs: 0, settled: false, resolve, reject };
      if (stopped) return refuse([entry], new Failure('unavailable', 'the client stopped'));
      try {
        queue.add(entry);
      } catch (failure) {
        return refuse([entry], failure);
      }
      planFlush();
    });
  }

  /** Who may be asked now: peers that answer, or the engine of this process (undefined) when none does. */
  function judges(): (ProcessingInstance | undefined)[] {
    const answering = peers.filter((peer) => peer.breaker.state() === 'closed');
    return answering.length === 0 && local ? [undefined] : answering;
  }

  function paceOf(judge: ProcessingInstance | undefined): SendPace {
    const pace =
      paces.get(judge) ??
      createSendPace({
        targetMs: settings.timeoutMs * targetShare,
        windowStart,
        windowMin: Math.min(windowMin, settings.batchMax),
        windowMax: settings.inFlightMax * settings.batchMax,
      });
    paces.set(judge, pace);
    return pace;
  }

  /** Counts what a judge is given and how long it takes. */
  async function paced<Result>(
    judge: ProcessingInstance | undefined,
    count: number,
    work: () => Promise<Result>,
    isFailure: (result: Result) => boolean,
  ): Promise<Result> {
    const pace = paceOf(judge);
    const givenAtMs = performance.now();
    pace.given(count);
    const result = await work();
    pace.finished(count, performance.now() - givenAtMs, isFailure(result));
    if (queue.length() > 0) planFlush();
    return result;
  }

  function settle(entry: Pending): boolean {
    if (entry.settled) return false;
    entry.settled = true;
    asked.delete(entry);
    askedHere.delete(entry);
    events.onJudged?.(performance.now() - entry.startedMs);
    return true;
  }

  /** The first verdict counts; a later one of another source is dropped. */
  function accept(entries: readonly Pending[], verdicts: readonly Verdict[], source: Source): void {
    let count = 0;
    for (const [index, entry] of entries.entries()) {
      if (!settle(entry)) continue;
      count++;
      entry.resolve(verdicts[index]!);
    }
    if (count > 0) events.onVerdicts?.(source, count);
  }

  function refuse(entries: readonly Pending[], cause: unknown): void {
    const refused = entries.filter(settle);
    for (const entry of refused) entry.reject(new NoVerdict(settings.fallback, cause));
    if (refused.length > 0) events.onVerdicts?.('none', refused.length);
  }

  /** The calls of one turn of the event loop travel together; while all peers are busy they gather. */
  function planFlush(): void {
    if (flushPlanned) return;
    flushPlanned = true;
    setImmediate(() => {
      flushPlanned = false;
      flush();
    });
  }

  function flush(): void {
    while (queue.length() > 0) {
      const peer = pick();
      const isAnswering = judges().length > 0;
      const room = isAnswering ? paceOf(peer).room() : settings.batchMax;
      // Whoever finishes next plans the next flush.
      if (room === 0 || (!peer && !judges().includes(undefined) && isAnswering)) return;
      const batch = takeBatch(room);
      carry(batch, peer).catch((error: unknown) => refuse(batch, error));
    }
  }

  function takeBatch(room: number): Pending[] {
    const countMax = Math.min(settings.batchMax, room);
    const batch = queue.take({ countMax, weightMax: settings.batchWeightMax });
    if (options.isInProcess) takeHere(batch);
    else {
      const deadlineAtMs = performance.now() + settings.timeoutMs;
      for (const entry of batch) {
        entry.deadlineAtMs = deadlineAtMs;
        asked.add(entry);
      }
    }
    return batch;
  }

  /** From here on the deadline is that of the engine of this process. */
  function takeHere(entries: readonly Pending[]): void {
    for (const entry of entries) {
      asked.delete(entry);
      entry.deadlineAtMs = entry.startedMs + settings.queueWaitMs + settings.timeoutMs;
      askedHere.add(entry);
    }
  }

  /** The peer with the fewest batches in flight; equals take turns. */
  function pick(except?: ProcessingInstance): ProcessingInstance | undefined {
    turn++;
    let best: ProcessingInstance | undefined;
    for (let offset = 0; offset < peers.length; offset++) {
      const peer = peers[(turn + offset) % peers.length]!;
      if (peer === except || peer.breaker.state() !== 'closed' || peer.inFlight() >= settings.inFlightMax) continue;
      if (paceOf(peer).room() === 0) continue;
      if (!best || peer.inFlight() < best.inFlight()) best = peer;
    }
    return best;
  }

  /** Another peer than the first, when there is one and the budget for retries allows it. */
  function pickAgain(first: ProcessingInstance, count: number): ProcessingInstance | undefined {
    const second = pick(first);
    if (!second) return undefined;
    const isWithinBudget = budget.take(count);
    events.onRetries?.(isWithinBudget ? 'asked' : 'over_budget', count);
    return isWithinBudget ? second : undefined;
  }

  /** One batch from peer to peer to the local engine, until every entry has a verdict or its time is up. */
  async function carry(batch: readonly Pending[], first: ProcessingInstance | undefined): Promise<void> {
    let answers: Answer = 'failed';
    if (first) {
      budget.called(batch.length);
      answers = await ask(first, [batch], settings.attemptTimeoutMs);
    }
    const unsettled = answers === 'judged' ? [] : batch.filter((entry) => !entry.settled);
    // Without a first one there is no second either: all breakers are open.
    const second = first && unsettled.length > 0 ? pickAgain(first, unsettled.length) : undefined;
    if (second) {
      // If one text held the first peer up, it must not hold up the others at the second: each goes for itself.
      const parts = answers === 'late' ? unsettled.map((entry) => [entry]) : [unsettled];
      const again = await ask(second, parts, settings.attemptTimeoutMs);
      if (again !== 'failed') answers = again;
    }
    if (answers === 'judged') return;
    const left = batch.filter((entry) => !entry.settled);
    if (local) await judgeHere(left, local);
    else if (answers === 'failed') refuse(left, new Failure('unavailable', 'no processing instance answers'));
    // Else a late answer may still come; the deadline decides.
  }

  type Answer = 'judged' | 'failed' | 'late';

  /** `late`: the peer's share is over and the answer, should it come, still counts. */
  async function ask(
    peer: ProcessingInstance,
    parts: readonly (readonly Pending[])[],
    shareMs: number,
  ): Promise<Answer> {
    const lastAtMs = Math.max(...parts.map((part) => part[0]!.deadlineAtMs));
    const leftMs = lastAtMs - performance.now();
    if (leftMs <= 0) return 'late';
    const alone = !local && peers.length === 1;
    const waitMs = alone ? leftMs : Math.min(shareMs, leftMs - (local ? settings.timeoutMs * localShare : 0));
    if (waitMs <= 0) return 'failed';
    const late = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => {
      peer.breaker.failed('no verdict in its share of the time');
      late.resolve('late');
    }, waitMs);
    const answer = await Promise.race([sendParts(peer, parts, leftMs), late.promise]);
    clearTimeout(timer);
    return answer;
  }

  async function sendParts(
    peer: ProcessingInstance,
    parts: readonly (readonly Pending[])[],
    timeoutMs: number,
  ): Promise<Answer> {
    const send = async (part: readonly Pending[]) => {
      const requests = part.map(({ draft }) => toProcessRequest(draft));
      accept(part, await peer.send(requests, timeoutMs), 'remote');
    };
    const count = parts.reduce((sum, part) => sum + part.length, 0);
    const isFailure = (results: readonly PromiseSettledResult<void>[]) =>
      results.some(({ status }) => status === 'rejected');
    const results = await paced(peer, count, () => Promise.allSettled(parts.map(send)), isFailure);
    return isFailure(results) ? 'failed' : 'judged';
  }

  async function judgeHere(entries: readonly Pending[], engine: TextEngine): Promise<void> {
    takeHere(entries);
    const work = () => Promise.all(entries.map((entry) => judgeOneHere(entry, engine)));
    await paced(undefined, entries.length, work, () => false);
  }

  async function judgeOneHere(entry: Pending, engine: TextEngine): Promise<void> {
    try {
      const [result] = await engine.judge([toTask(entry.draft)], {
        deadlineMs: entry.deadlineAtMs - performance.now(),
      });
      accept([entry], [toVerdict(result!, engine.version())], 'local');
    } catch (error) {
      refuse([entry], error);
    }
  }

  return {
    judgeOne,
    stop: () => {
      stopped = true;
      const left = [...asked.all(), ...askedHere.all(), ...queue.clear()];
      refuse(left, new Failure('unavailable', 'the client stopped'));
      asked.stop();
      askedHere.stop();
      for (const peer of peers) peer.stop();
    },
  };
}
