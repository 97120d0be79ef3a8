/**
 * The chat role's way to a verdict: concurrent calls travel together in batches over the streams of the peers, each batch
 * to the peer with the fewest in flight. A peer that does not answer in its share of the time is doubled by another, then
 * by the local engine, all inside one deadline; the first verdict counts. No verdict is a failure, never an `allow`.
 */
import { Failure } from '../errors.ts';
import { createRetryBudget, type RetryBudgetSettings } from '../retry-budget.ts';
import { toProcessRequest, toTask } from './draft-wire.ts';
import type { Peer } from './processing-peer.ts';
import type { TextEngine } from './text-task.ts';
import { type DraftText, toVerdict, type Verdict } from './verdict.ts';

export type { DraftText, Verdict };

/**
 * One draft's way to its verdict; concurrent calls travel together. What the chat features are handed.
 * @throws NoVerdict when nobody judged in time: nothing of the text may be shown to anyone but its sender
 */
export type Judge = (draft: DraftText) => Promise<Verdict>;

export type FallbackMode = 'local' | 'refuse' | 'pending' | 'open';

export interface ProcessingClientSettings {
  /** A verdict is there within this time, peers and fallback included. */
  readonly timeoutMs: number;
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
  readonly peers: readonly Peer[];
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
    super('unavailable', 'no verdict in time', { retryAfterMs: 1000, cause });
    this.mode = mode;
  }
}

interface Pending {
  readonly draft: DraftText;
  readonly startedMs: number;
  readonly deadlineAtMs: number;
  settled: boolean;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: NoVerdict) => void;
}

type Source = 'remote' | 'local';

/** This much of the deadline is kept for the local engine. */
const localShare = 0.3;

export function createProcessingClient(options: ProcessingClientOptions): ProcessingClient {
  const { peers, settings, events = {} } = options;
  const local = settings.fallback === 'local' ? options.local : undefined;
  const open = new Set<Pending>();
  let waiting: Pending[] = [];
  let flushPlanned = false;
  let deadlineTimer: NodeJS.Timeout | undefined;
  const budget = createRetryBudget(settings.retries);
  let turn = 0;
  let stopped = false;

  function judgeOne(draft: DraftText): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      if (stopped || waiting.length >= settings.queueMax) {
        events.onVerdicts?.('none', 1);
        throw new NoVerdict(settings.fallback, new Failure('unavailable', 'too many drafts wait for a verdict'));
      }
      const startedMs = performance.now();
      const deadlineAtMs = startedMs + settings.timeoutMs;
      const entry: Pending = { draft, startedMs, deadlineAtMs, settled: false, resolve, reject };
      open.add(entry);
      waiting.push(entry);
      planFlush();
      watchDeadlines();
    });
  }

  /** All have the same time, so the oldest is the first whose time is up: one timer does for all of them. */
  function watchDeadlines(): void {
    if (deadlineTimer !== undefined || open.size === 0) return;
    const [oldest] = open;
    // A busy loop may come here late: Node warns of a negative time.
    const leftMs = Math.max(0, oldest!.deadlineAtMs - performance.now());
    deadlineTimer = setTimeout(() => {
      deadlineTimer = undefined;
      const nowMs = performance.now();
      const late: Pending[] = [];
      for (const entry of open) {
        if (entry.deadlineAtMs > nowMs) break;
        late.push(entry);
      }
      refuse(late, new Failure('unavailable', 'the time is up'));
      watchDeadlines();
    }, leftMs);
  }

  function settle(entry: Pending): boolean {
    if (entry.settled) return false;
    entry.settled = true;
    open.delete(entry);
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
    while (waiting.length > 0) {
      const peer = pick();
      if (!peer && peers.some((each) => each.breaker.state() === 'closed')) return;
      const batch = takeBatch();
      if (batch.length > 0) carry(batch, peer).catch((error: unknown) => refuse(batch, error));
    }
  }

  function takeBatch(): Pending[] {
    const batch: Pending[] = [];
    let weight = 0;
    let taken = 0;
    while (taken < waiting.length && batch.length < settings.batchMax && weight < settings.batchWeightMax) {
      const entry = waiting[taken++]!;
      if (entry.settled) continue;
      weight += entry.draft.text.length;
      batch.push(entry);
    }
    waiting = waiting.slice(taken);
    return batch;
  }

  /** The peer with the fewest batches in flight; equals take turns. */
  function pick(except?: Peer): Peer | undefined {
    turn++;
    let best: Peer | undefined;
    for (let offset = 0; offset < peers.length; offset++) {
      const peer = peers[(turn + offset) % peers.length]!;
      if (peer === except || peer.breaker.state() !== 'closed' || peer.inFlight() >= settings.inFlightMax) continue;
      if (!best || peer.inFlight() < best.inFlight()) best = peer;
    }
    return best;
  }

  /** Another peer than the first, when there is one and the budget for retries allows it. */
  function pickAgain(first: Peer, count: number): Peer | undefined {
    const second = pick(first);
    if (!second) return undefined;
    const isWithinBudget = budget.take(count);
    events.onRetries?.(isWithinBudget ? 'asked' : 'over_budget', count);
    return isWithinBudget ? second : undefined;
  }

  /** One batch from peer to peer to the local engine, until every entry has a verdict or its time is up. */
  async function carry(batch: readonly Pending[], first: Peer | undefined): Promise<void> {
    let answers: Answer = 'failed';
    if (first) {
      budget.called(batch.length);
      answers = await ask(first, [batch], settings.attemptTimeoutMs);
      if (waiting.length > 0) planFlush();
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
    if (local) await Promise.all(left.map((entry) => judgeHere(entry, local)));
    else if (answers === 'failed') refuse(left, new Failure('unavailable', 'no processing instance answers'));
    // Else a late answer may still come; the deadline decides.
  }

  type Answer = 'judged' | 'failed' | 'late';

  /** `late`: the peer's share is over and the answer, should it come, still counts. */
  async function ask(peer: Peer, parts: readonly (readonly Pending[])[], shareMs: number): Promise<Answer> {
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

  async function sendParts(peer: Peer, parts: readonly (readonly Pending[])[], timeoutMs: number): Promise<Answer> {
    const results = await Promise.allSettled(
      parts.map(async (part) => {
        const requests = part.map(({ draft }) => toProcessRequest(draft));
        accept(part, await peer.send(requests, timeoutMs), 'remote');
      }),
    );
    return results.every(({ status }) => status === 'fulfilled') ? 'judged' : 'failed';
  }

  async function judgeHere(entry: Pending, engine: TextEngine): Promise<void> {
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
      refuse([...open], new Failure('unavailable', 'the client stopped'));
      clearTimeout(deadlineTimer);
      for (const peer of peers) peer.stop();
    },
  };
}
