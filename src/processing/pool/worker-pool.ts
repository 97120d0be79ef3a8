/**
 * A pool of worker threads that judge many small items: batched, bounded, and never blocked by one item.
 *
 * A thread that overruns or crashes is replaced. The item that it was on becomes a suspect: it is run once more, alone, and if
 * that fails too, its outcome is `overran` or `crashed`. The other items of the thread go back to the queue. A warm spare
 * thread replaces a lost one at once; suspects run on the youngest thread.
 */

import { Failure } from '../../errors.ts';
import { createOverrunWatch } from './overrun-watch.ts';
import type { PoolThread } from './pool-thread.ts';
import { createStateRollout, type StateRollout } from './state-rollout.ts';
import { createSuspects } from './suspects.ts';
import { createTaskQueue, type Entry, type RunOptions, type TaskQueueSettings } from './task-queue.ts';
import { createThreadSupervisor, type ThreadSupervisor } from './thread-supervisor.ts';
import type { TaskOutcome } from './worker-protocol.ts';

export interface WorkerPoolSettings extends TaskQueueSettings {
  readonly threads: number;
  /** Additional warm threads, which run suspects and replace lost threads. */
  readonly spares: number;
  /** Longest time of an item that runs alone. An item of a batch has half of it and is then run alone. */
  readonly itemTimeoutMs: number;
  /** Longest time in which a thread loads its state. */
  readonly loadTimeoutMs: number;
  readonly heapMb: number;
}

export interface PoolEvents {
  readonly onBatch?: (items: number, stageMs: Readonly<Record<string, number>>) => void;
  /** A batch was given to a thread. @param waitedMs how long the call of its first item had waited */
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
   * Resolves when every thread works with `state`; items given before finish with the old one. Only parts that are other values
   * than before are sent. Threads apply them one after the other, so the others and the spare work on.
   * @throws the threads' complaint about the state, which is then not used
   */
  readonly reload: (state: State) => Promise<void>;
  readonly stats: () => PoolStats;
  /** Refuses new work, fails waiting calls and ends the threads. */
  readonly stop: () => Promise<void>;
}

export interface WorkerPoolOptions<Task, State> {
  /** Module that calls `serveTasks`. */
  readonly module: URL;
  readonly state: State;
  readonly settings: WorkerPoolSettings;
  /** Characters of a task. Bounds batches, so that a hundred long texts do not share one. */
  readonly weigh: (task: Task) => number;
  readonly events?: PoolEvents;
}

/** Batches that a thread holds, so that the next one is there when it finishes the last. */
const batchesPerThread = 2;

/** Starts the threads and resolves when all of them are warm; rejects when the first start fails. */
export async function startWorkerPool<Task, Result, State extends object>(
  options: WorkerPoolOptions<Task, State>,
): Promise<WorkerPool<Task, Result, State>> {
  type Item = Entry<Task, Result>;
  type Thread = PoolThread<Item, Task, State>;
  const { module, settings, events = {} } = options;
  const { heapMb, loadTimeoutMs, itemTimeoutMs } = settings;
  let isStopped = false;
  const suspects = createSuspects<Item>();
  // Calls of one tick of the event loop travel together.
  const queue = createTaskQueue<Task, Result>(settings, options.weigh, () => setImmediate(dispatch));
  const supervisor: ThreadSupervisor<Thread> = createThreadSupervisor<Item, Task, Result, State>(
    () => ({ module, ...rollout.current(), heapMb, loadTimeoutMs }),
    {
      onReady: dispatch,
      onResults: (batch, outcomes, stageMs) => {
        for (const [at, entry] of batch.entries.entries()) queue.finish(entry, outcomes[at]!);
        events.onBatch?.(batch.entries.length, stageMs);
        dispatch();
      },
      onCrash: (thread, cause) => lose(thread, 'crashed', cause),
    },
  );
  const { threads } = supervisor;
  const rollout: StateRollout<State> = createStateRollout({
    state: options.state,
    threads,
    isStopped: () => isStopped,
    onChange: dispatch,
  });
  // An item in a batch gets half of the time: a suspect is then run alone with all of it.
  const limitMs = (thread: Thread) => (runsAlone(thread) ? itemTimeoutMs : itemTimeoutMs / 2);
  const watch = createOverrunWatch<Thread>(threads, limitMs, (thread) => {
    thread.end().catch((error: unknown) => events.onLostThread?.('crashed', error));
    lose(thread, 'overran', undefined);
  });

  /** Puts the items of a lost thread back, the one it was on as a suspect, and starts a successor. */
  function lose(thread: Thread, reason: 'overran' | 'crashed', cause: unknown): void {
    if (!supervisor.drop(thread)) return;
    const culprit = thread.current();
    const again: Item[] = [];
    for (const batch of thread.inFlight) {
      for (const [index, entry] of batch.entries.entries()) {
        if (batch !== culprit?.batch || index !== culprit.index) again.push(entry);
        else if (suspects.wasRunAlone(entry)) queue.finish(entry, { ok: false, reason, detail: reason });
        else suspects.add(entry);
      }
    }
    for (const entry of again.reverse()) queue.giveBack(entry);
    events.onLostThread?.(reason, cause);
    supervisor.startSuccessor();
    dispatch();
  }

  function give(thread: Thread, entries: readonly Item[]): void {
    const tasks = entries.map(({ job, index }) => job.tasks[index]!);
    thread.give(entries, tasks);
    events.onGiven?.(performance.now() - entries[0]!.job.admittedAtMs);
    watch.start();
  }

  function runsAlone(thread: Thread): boolean {
    const first = thread.inFlight[0]?.entries[0];
    return first !== undefined && suspects.wasRunAlone(first);
  }

  function dispatch(): void {
    if (isStopped) return;
    const able = [...threads].filter((thread) => thread.state() === 'ready' && !runsAlone(thread));
    const settled = able.filter((thread) => !thread.isReloading());
    const left = giveSuspects(settled.length > 0 ? settled : able);
    giveBatches(left.slice(0, settings.threads));
  }

  /** Gives each suspect a thread of its own. @returns the threads that are left for batches */
  function giveSuspects(ready: readonly Thread[]): readonly Thread[] {
    let left = ready;
    while (suspects.isWaiting()) {
      // The last thread that is left works for the others until the lost thread's successor is there.
      if (left.length === 1 && queue.waiting() > 0 && supervisor.isSuccessorComing()) break;
      // The youngest thread is the spare, if there is one. If it is busy, it gets no more work until it is idle.
      const last = left.at(-1);
      left = left.slice(0, -1);
      if (!last || last.inFlight.length > 0) break;
      give(last, [suspects.take()]);
    }
    return left;
  }

  function giveBatches(working: readonly Thread[]): void {
    for (let depth = 0; depth < batchesPerThread; depth++) {
      for (const thread of working) {
        if (thread.inFlight.length > depth) continue;
        const entries = queue.take();
        if (entries.length === 0) return;
        give(thread, entries);
      }
    }
  }

  async function stop(): Promise<void> {
    isStopped = true;
    watch.stop();
    queue.failAll(new Failure('unavailable', 'the engine stopped', { retryAfterMs: 1000 }));
    await supervisor.stop();
  }

  const starts = Array.from({ length: settings.threads + settings.spares }, supervisor.start);
  try {
    await Promise.all(starts);
  } catch (error) {
    await Promise.allSettled(starts);
    await stop();
    throw error;
  }

  return {
    run: (tasks, runOptions = {}) =>
      isStopped
        ? Promise.reject(new Failure('unavailable', 'the engine is stopping', { retryAfterMs: 1000 }))
        : queue.admit(tasks, runOptions),
    reload: rollout.reload,
    stats: () => ({
      waiting: queue.waiting(),
      given: [...threads].flatMap((thread) => thread.inFlight).reduce((sum, batch) => sum + batch.entries.length, 0),
      threadsReady: [...threads].filter((thread) => thread.state() === 'ready').length,
    }),
    stop,
  };
}
