/**
 * A pool of worker threads that judge many small items: batched, bounded, and never held by one item.
 *
 * A thread that overruns or crashes is replaced. The item it was on becomes a suspect: run once more, alone, and then
 * done with `overran` or `crashed`; the other items of the thread go back to the queue. A spare thread stands by warm: it
 * takes the place of a lost one at once, and the youngest thread beside it is the one suspects run on.
 */

import { startEarly } from '../../concurrency/start-early.ts';
import { Failure } from '../../errors.ts';
import { type PoolThread, startThread } from './pool-thread.ts';
import { createTaskQueue, type Entry, type RunOptions, type TaskQueueSettings } from './task-queue.ts';
import type { TaskOutcome } from './worker-protocol.ts';

export interface WorkerPoolSettings extends TaskQueueSettings {
  readonly threads: number;
  /** Warm threads beside them, which run suspects and replace lost threads. */
  readonly spares: number;
  /** One item alone may take this long; in a batch half of it, after which it is run alone. */
  readonly itemTimeoutMs: number;
  /** A thread must have loaded its state in this time. */
  readonly loadTimeoutMs: number;
  readonly heapMb: number;
}

export interface PoolEvents {
  readonly onBatch?: (items: number, stageMs: Readonly<Record<string, number>>) => void;
  /** A batch went to a thread: how long the call of its first item had waited, milliseconds. */
  readonly onGiven?: (waitedMs: number) => void;
  readonly onLostThread?: (reason: 'overran' | 'crashed', cause: unknown) => void;
}

export interface PoolStats {
  readonly waiting: number;
  readonly given: number;
  readonly threadsReady: number;
}

export interface WorkerPool<Task, Result, State> {
  /**
   * Outcomes in the order of the tasks.
   * @throws Failure `unavailable` when the queue is full or the pool stopped, `request_timeout` at the deadline
   */
  readonly run: (tasks: readonly Task[], options?: RunOptions) => Promise<TaskOutcome<Result>[]>;
  /**
   * Every thread works with `state` when this resolves; items already given finish with the old one. Only the parts that are
   * other values than before travel, and the threads apply them in turn: while one does, the others and the spare work on.
   * @throws the threads' complaint about the state, which is then not used
   */
  readonly reload: (state: State) => Promise<void>;
  readonly stats: () => PoolStats;
  /** Refuses new work, fails what waits, ends the threads. */
  readonly stop: () => Promise<void>;
}

export interface WorkerPoolOptions<Task, State> {
  /** Module that calls `serveTasks`. */
  readonly module: URL;
  readonly state: State;
  readonly settings: WorkerPoolSettings;
  /** Characters of a task: batches are cut by it, so that long texts do not travel a hundred together. */
  readonly weigh: (task: Task) => number;
  readonly events?: PoolEvents;
}

/** Batches a thread holds: the next one is there when it finishes the last. */
const batchesPerThread = 2;
const watchEveryMs = 10;
const restartPausesMs = [0, 50, 100, 200, 500, 1000];

/** Starts the threads and resolves when all of them are warm; rejects when the first start fails. */
export async function startWorkerPool<Task, Result, State extends object>(
  options: WorkerPoolOptions<Task, State>,
): Promise<WorkerPool<Task, Result, State>> {
  type Item = Entry<Task, Result>;
  type Thread = PoolThread<Item, Task, State>;
  const { module, settings, events = {} } = options;
  let { state } = options;
  let stateVersion = 0;
  let stopped = false;
  let failedStarts = 0;
  const threads = new Set<Thread>();
  const restarts = new Set<NodeJS.Timeout>();
  const suspects: Item[] = [];
  /** Items that are being run alone, or were. */
  const suspected = new WeakSet<Item>();
  // Calls of one turn of the event loop travel together.
  const queue = createTaskQueue<Task, Result>(settings, options.weigh, () => setImmediate(dispatch));

  function spawn(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let ready = false;
    const thread: Thread = startThread<Item, Task, Result, State>(
      { module, state, stateVersion, heapMb: settings.heapMb, loadTimeoutMs: settings.loadTimeoutMs },
      {
        onReady: () => {
          ready = true;
          failedStarts = 0;
          resolve();
          dispatch();
        },
        onResults: (batch, outcomes, stageMs) => {
          for (const [at, entry] of batch.entries.entries()) queue.finish(entry, outcomes[at]!);
          events.onBatch?.(batch.entries.length, stageMs);
          dispatch();
        },
        onCrash: (cause) => {
          if (ready) return lose(thread, 'crashed', cause);
          failedStarts++;
          threads.delete(thread);
          reject(cause instanceof Error ? cause : new Error(String(cause)));
        },
      },
    );
    threads.add(thread);
    return promise;
  }

  /** Starts a successor; a thread that cannot start is tried again ever more slowly. */
  function respawn(): void {
    if (stopped) return;
    const pauseMs = restartPausesMs[Math.min(failedStarts, restartPausesMs.length - 1)]!;
    const timer = setTimeout(() => {
      restarts.delete(timer);
      spawn().catch(respawn);
    }, pauseMs);
    restarts.add(timer);
  }

  function lose(thread: Thread, reason: 'overran' | 'crashed', cause: unknown): void {
    if (!threads.delete(thread)) return;
    const culprit = thread.current();
    const again: Item[] = [];
    for (const batch of thread.inFlight) {
      for (const [index, entry] of batch.entries.entries()) {
        if (batch !== culprit?.batch || index !== culprit.index) again.push(entry);
        else if (suspected.has(entry)) queue.finish(entry, { ok: false, reason, detail: reason });
        else suspects.push(entry);
      }
    }
    for (const entry of again.reverse()) queue.giveBack(entry);
    events.onLostThread?.(reason, cause);
    respawn();
    dispatch();
  }

  function give(thread: Thread, entries: readonly Item[]): void {
    const tasks = entries.map(({ job, index }) => job.tasks[index]!);
    thread.give(entries, tasks);
    events.onGiven?.(performance.now() - entries[0]!.job.admittedAtMs);
    watch();
  }

  function runsAlone(thread: Thread): boolean {
    const first = thread.inFlight[0]?.entries[0];
    return first !== undefined && suspected.has(first);
  }

  function isSuccessorComing(): boolean {
    return restarts.size > 0 || [...threads].some((thread) => thread.state() === 'starting');
  }

  function dispatch(): void {
    if (stopped) return;
    const able = [...threads].filter((thread) => thread.state() === 'ready' && !runsAlone(thread));
    let ready = able.filter((thread) => !thread.isReloading());
    if (ready.length === 0) ready = able;
    while (suspects.length > 0) {
      if (suspects[0]!.job.settled) {
        suspects.shift();
        continue;
      }
      // While the lost thread's successor is on its way the last one that is left works for the others.
      if (ready.length === 1 && queue.waiting() > 0 && isSuccessorComing()) break;
      // The youngest thread, which is the spare when there is one; with none idle it gets no more work until it is.
      const last = ready.at(-1);
      ready = ready.slice(0, -1);
      if (!last || last.inFlight.length > 0) break;
      const entry = suspects.shift()!;
      suspected.add(entry);
      give(last, [entry]);
    }
    const working = ready.slice(0, settings.threads);
    for (let depth = 0; depth < batchesPerThread; depth++) {
      for (const thread of working) {
        if (thread.inFlight.length > depth) continue;
        const entries = queue.take();
        if (entries.length === 0) return;
        give(thread, entries);
      }
    }
  }

  // The watch runs only while a thread holds work.
  let watchTimer: NodeJS.Timeout | undefined;
  function watch(): void {
    watchTimer ??= setInterval(() => {
      const nowMs = performance.now();
      for (const thread of [...threads]) {
        const limitMs = runsAlone(thread) ? settings.itemTimeoutMs : settings.itemTimeoutMs / 2;
        if (thread.stuckMs(nowMs) <= limitMs || !thread.current()) continue;
        thread.end().catch((error: unknown) => events.onLostThread?.('crashed', error));
        lose(thread, 'overran', undefined);
      }
      if ([...threads].some((thread) => thread.inFlight.length > 0)) return;
      clearInterval(watchTimer);
      watchTimer = undefined;
    }, watchEveryMs);
  }

  // One state after the other, so that the last one asked for is the last one applied.
  let reloading: Promise<unknown> = Promise.resolve();
  function reload(next: State): Promise<void> {
    const reloaded = reloading.then(() => applyEverywhere(next));
    reloading = reloaded.catch(() => undefined); // whoever asked for it hears of it
    return reloaded;
  }

  async function applyEverywhere(next: State): Promise<void> {
    const previous = state;
    const changes = changesOf(previous, next);
    const version = ++stateVersion;
    const had = [...threads];
    state = next; // threads that are born from now on begin with it
    const applied: Thread[] = [];
    try {
      for (const thread of had) {
        if (stopped) return;
        const loading = startEarly(() => thread.reload(changes, version));
        dispatch(); // to the others
        await loading;
        applied.push(thread);
      }
    } catch (error) {
      state = previous;
      // What one thread refuses the others refuse as well; those that have it already go back all the same.
      const back = changesOf(next, previous);
      await Promise.allSettled(applied.map((thread) => thread.reload(back, ++stateVersion)));
      throw error;
    } finally {
      dispatch();
    }
  }

  async function stop(): Promise<void> {
    stopped = true;
    clearInterval(watchTimer);
    for (const timer of restarts) clearTimeout(timer);
    queue.failAll(new Failure('unavailable', 'the engine stopped', { retryAfterMs: 1000 }));
    await Promise.all([...threads].map((thread) => thread.end()));
    threads.clear();
  }

  const births = Array.from({ length: settings.threads + settings.spares }, spawn);
  try {
    await Promise.all(births);
  } catch (error) {
    await Promise.allSettled(births);
    await stop();
    throw error;
  }

  return {
    run: (tasks, runOptions = {}) =>
      stopped
        ? Promise.reject(new Failure('unavailable', 'the engine is stopping', { retryAfterMs: 1000 }))
        : queue.admit(tasks, runOptions),
    reload,
    stats: () => ({
      waiting: queue.waiting(),
      given: [...threads].flatMap((thread) => thread.inFlight).reduce((sum, batch) => sum + batch.entries.length, 0),
      threadsReady: [...threads].filter((thread) => thread.state() === 'ready').length,
    }),
    stop,
  };
}

/** The parts of `next` that are not the very values of `previous`. */
function changesOf<State extends object>(previous: State, next: State): Partial<State> {
  const changed = (Object.keys(next) as (keyof State)[]).filter((part) => next[part] !== previous[part]);
  return Object.fromEntries(changed.map((part) => [part, next[part]])) as Partial<State>;
}
