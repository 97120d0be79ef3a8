/** Keeps a number of threads running: starts them, and starts a successor for each that was lost. */

import { type Batch, type PoolThread, startThread, type ThreadOptions } from './pool-thread.ts';
import type { TaskOutcome } from './worker-protocol.ts';

export interface SupervisorEvents<Item, Result, Thread> {
  readonly onReady: () => void;
  readonly onResults: (
    batch: Batch<Item>,
    outcomes: readonly TaskOutcome<Result>[],
    stageMs: Readonly<Record<string, number>>,
  ) => void;
  /** A thread that was ready crashed. It is still among `threads`. */
  readonly onCrash: (thread: Thread, cause: unknown) => void;
}

export interface ThreadSupervisor<Thread> {
  /** Threads that start or run, the oldest first. */
  readonly threads: ReadonlySet<Thread>;
  /** Starts a thread; rejects when it cannot start. */
  readonly start: () => Promise<void>;
  /** Gives a thread up. @returns false if that was done before */
  readonly drop: (thread: Thread) => boolean;
  /** Starts a successor. If it cannot start, it is tried again after ever longer pauses. */
  readonly startSuccessor: () => void;
  readonly isSuccessorComing: () => boolean;
  /** Starts nothing more and ends all threads. */
  readonly stop: () => Promise<void>;
}

const restartPausesMs = [0, 50, 100, 200, 500, 1000];

/** @param threadOptions what the next thread starts with */
export function createThreadSupervisor<Item, Task, Result, State>(
  threadOptions: () => ThreadOptions<State>,
  events: SupervisorEvents<Item, Result, PoolThread<Item, Task, State>>,
): ThreadSupervisor<PoolThread<Item, Task, State>> {
  type Thread = PoolThread<Item, Task, State>;
  const threads = new Set<Thread>();
  const restarts = new Set<NodeJS.Timeout>();
  let failedStarts = 0;
  let isStopped = false;

  function start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let isReady = false;
    const thread: Thread = startThread<Item, Task, Result, State>(threadOptions(), {
      onReady: () => {
        isReady = true;
        failedStarts = 0;
        resolve();
        events.onReady();
      },
      onResults: events.onResults,
      onCrash: (cause) => {
        if (isReady) return events.onCrash(thread, cause);
        failedStarts++;
        threads.delete(thread);
        reject(cause instanceof Error ? cause : new Error(String(cause)));
      },
    });
    threads.add(thread);
    return promise;
  }

  function startSuccessor(): void {
    if (isStopped) return;
    const pauseMs = restartPausesMs[Math.min(failedStarts, restartPausesMs.length - 1)]!;
    const timer = setTimeout(() => {
      restarts.delete(timer);
      start().catch(startSuccessor);
    }, pauseMs);
    restarts.add(timer);
  }

  return {
    threads,
    start,
    drop: (thread) => threads.delete(thread),
    startSuccessor,
    isSuccessorComing: () => restarts.size > 0 || [...threads].some((thread) => thread.state() === 'starting'),
    stop: async () => {
      isStopped = true;
      for (const timer of restarts) clearTimeout(timer);
      await Promise.all([...threads].map((thread) => thread.end()));
      threads.clear();
    },
  };
}
