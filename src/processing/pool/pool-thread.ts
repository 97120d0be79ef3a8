/**
 * One worker thread as the pool sees it.
 *
 * States: `starting` → `ready` → `ended`. It becomes `ready` when the thread reports that its state is loaded. `ended` is final and
 * follows `end()`, a crash, or a start that took too long. Batches are answered in the order in which they were given.
 */
import { Worker } from 'node:worker_threads';
import type { FromThread, TaskOutcome, ThreadBirth, ToThread } from './worker-protocol.ts';

export type ThreadState = 'starting' | 'ready' | 'ended';

export interface Batch<Entry> {
  readonly id: number;
  readonly entries: readonly Entry[];
}

export interface ThreadEvents<Entry, Result> {
  readonly onReady: () => void;
  readonly onResults: (
    batch: Batch<Entry>,
    outcomes: readonly TaskOutcome<Result>[],
    stageMs: Readonly<Record<string, number>>,
  ) => void;
  /** The thread ended without `end()`: crash, out of memory, failed start. */
  readonly onCrash: (cause: unknown) => void;
}

export interface PoolThread<Entry, Task, State> {
  readonly state: () => ThreadState;
  /** Batches given and not yet answered, oldest first. */
  readonly inFlight: readonly Batch<Entry>[];
  /** Sends one batch. Only while `ready`. */
  readonly give: (entries: readonly Entry[], tasks: readonly Task[]) => void;
  /** Sends the changed parts of a state. Resolves when the thread works with it; rejects with the thread's complaint. */
  readonly reload: (changes: Partial<State>, version: number) => Promise<void>;
  /** A new state is being applied, and batches wait for it. */
  readonly isReloading: () => boolean;
  /**
   * How long the item in progress has been running, in milliseconds, as seen by calls of this function. Call it every few
   * milliseconds; a late call counts for `lookMsMax` only. Zero while nothing runs or a state is being applied.
   */
  readonly stuckMs: (nowMs: number) => number;
  /** The batch of the item in progress and its index in it; undefined if all given items are finished. */
  readonly current: () => { batch: Batch<Entry>; index: number } | undefined;
  /** Ends the thread at once, whatever it is doing. */
  readonly end: () => Promise<void>;
}

export interface ThreadOptions<State> {
  readonly module: URL;
  readonly state: State;
  readonly stateVersion: number;
  readonly heapMb: number;
  readonly loadTimeoutMs: number;
}

interface Reload {
  readonly resolve: () => void;
  readonly reject: (cause: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Longest time that counts between two calls of `stuckMs`, which come every 10 ms. If a call is later, the whole process waited
 * for the processor, including this thread, and that time must not count against its item.
 */
const lookMsMax = 15;

export function startThread<Entry, Task, Result, State>(
  options: ThreadOptions<State>,
  events: ThreadEvents<Entry, Result>,
): PoolThread<Entry, Task, State> {
  const progressBytes = new SharedArrayBuffer(4);
  const progress = new Int32Array(progressBytes);
  const birth: ThreadBirth<State> = {
    progress: progressBytes,
    state: options.state,
    stateVersion: options.stateVersion,
  };
  const worker = new Worker(options.module, {
    workerData: birth,
    resourceLimits: { maxOldGenerationSizeMb: options.heapMb },
  });
  let state: ThreadState = 'starting';
  const inFlight: Batch<Entry>[] = [];
  const reloads = new Map<number, Reload>();
  let nextBatch = 0;
  let answered = 0; // items of batches that were answered, an Int32 that wraps like the shared counter
  let lastProgress = 0;
  let lastLookMs = 0;
  /** Counted since the item in progress was first seen. */
  let runningMs = 0;

  function startCounting(): void {
    lastLookMs = performance.now();
    runningMs = 0;
  }

  const send = (message: ToThread<Task, State>): void => worker.postMessage(message);

  function gone(cause: unknown): void {
    if (state === 'ended') return;
    state = 'ended';
    clearTimeout(startTimer);
    // The successor starts with the newest state, so a reload in progress counts as done.
    finishReloads();
    events.onCrash(cause);
  }

  function finishReloads(): void {
    for (const { resolve, timer } of reloads.values()) {
      clearTimeout(timer);
      resolve();
    }
    reloads.clear();
  }

  /** A state that takes too long to load, at birth or later, ends the thread. */
  function limitLoading(): NodeJS.Timeout {
    return setTimeout(() => {
      void worker.terminate();
      gone(new Error(`a worker thread did not load its state in ${options.loadTimeoutMs} ms`));
    }, options.loadTimeoutMs);
  }
  const startTimer = limitLoading();

  worker.on('message', (message: FromThread<Result>) => {
    if (state === 'ended') return;
    if (message.type === 'ready') {
      state = 'ready';
      clearTimeout(startTimer);
      events.onReady();
    } else if (message.type === 'state') {
      const waiting = reloads.get(message.version);
      reloads.delete(message.version);
      clearTimeout(waiting?.timer);
      if (message.problem === undefined) waiting?.resolve();
      else waiting?.reject(new Error(message.problem));
    } else {
      const batch = inFlight.shift();
      if (batch?.id !== message.id) return gone(new Error('a worker thread answered out of order'));
      answered = (answered + batch.entries.length) | 0;
      startCounting();
      events.onResults(batch, message.outcomes, message.stageMs);
    }
  });
  worker.on('error', gone);
  worker.on('exit', (code) => gone(new Error(`a worker thread ended with code ${code}`)));

  return {
    state: () => state,
    inFlight,
    give: (entries, tasks) => {
      if (inFlight.length === 0) startCounting();
      const batch = { id: nextBatch++, entries };
      inFlight.push(batch);
      send({ type: 'batch', id: batch.id, tasks });
    },
    reload: (changes, version) => {
      if (state === 'ended') return Promise.resolve(); // its successor starts with the newest state
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      reloads.set(version, { resolve, reject, timer: limitLoading() });
      send({ type: 'state', version, changes });
      return promise;
    },
    isReloading: () => reloads.size > 0,
    stuckMs: (nowMs) => {
      const seen = Atomics.load(progress, 0);
      const sinceLookMs = Math.min(nowMs - lastLookMs, lookMsMax);
      lastLookMs = nowMs;
      if (state !== 'ready' || inFlight.length === 0) return 0;
      runningMs = seen === lastProgress && reloads.size === 0 ? runningMs + sinceLookMs : 0;
      lastProgress = seen;
      return runningMs;
    },
    current: () => {
      let index = (Atomics.load(progress, 0) - answered) | 0;
      for (const batch of inFlight) {
        if (index < batch.entries.length) return { batch, index };
        index -= batch.entries.length;
      }
      return undefined;
    },
    end: async () => {
      if (state !== 'ended') {
        state = 'ended';
        clearTimeout(startTimer);
        finishReloads();
      }
      await worker.terminate();
    },
  };
}
