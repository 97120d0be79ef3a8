/**
 * The inside of a pool thread: takes batches, counts finished items in shared memory, answers in one message.
 * A worker module calls `serveTasks` once and is otherwise pure.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, TaskOutcome, ThreadBirth, ToThread } from './worker-protocol.ts';

export interface TaskServer<Task, Result, State> {
  /**
   * Compiles a state (rules, weights). Called at the start and on every reload. Batches wait for it, none is dropped.
   * @param changed the parts that are new; what depends on the others alone may be kept
   */
  readonly apply: (state: State, changed: ReadonlySet<keyof State>) => void;
  /** Judges one item; `stages.lap` measures its stages. */
  readonly run: (task: Task, stages: Stages) => Result;
}

export interface Stages {
  /** Adds the time since the last call to `stage`. */
  readonly lap: (stage: string) => void;
}

/** Sums times by stage, with one clock reading per lap. */
function createStages(): Stages & { take: () => Record<string, number>; begin: () => void } {
  let sums: Record<string, number> = {};
  let since = performance.now();
  return {
    begin: () => {
      since = performance.now();
    },
    lap: (stage) => {
      const now = performance.now();
      sums[stage] = (sums[stage] ?? 0) + (now - since);
      since = now;
    },
    take: () => {
      const taken = sums;
      sums = {};
      return taken;
    },
  };
}

function partsOf<State extends object>(state: Partial<State>): ReadonlySet<keyof State> {
  return new Set(Object.keys(state) as (keyof State)[]);
}

/** Answers the pool until it ends this thread. If a state cannot be applied, that is reported and the last one is kept. */
export function serveTasks<Task, Result, State extends object>(server: TaskServer<Task, Result, State>): void {
  const port = parentPort;
  if (!port) throw new Error('this module runs in a worker thread only');
  const birth = workerData as ThreadBirth<State>;
  const progress = new Int32Array(birth.progress);
  const stages = createStages();
  let current = birth.state;
  const answer = (message: FromThread<Result>): void => port.postMessage(message);

  function runOne(task: Task): TaskOutcome<Result> {
    try {
      return { ok: true, result: server.run(task, stages) };
    } catch (error) {
      return { ok: false, reason: 'threw', detail: error instanceof Error ? error.name : 'unknown' };
    }
  }

  /** @returns what is wrong with the new state, which is then not used; undefined if it was applied */
  function apply(changes: Partial<State>): string | undefined {
    const next = { ...current, ...changes };
    try {
      server.apply(next, partsOf(changes));
      current = next;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  port.on('message', (message: ToThread<Task, State>) => {
    if (message.type === 'state') {
      const problem = apply(message.changes);
      answer({ type: 'state', version: message.version, ...(problem === undefined ? {} : { problem }) });
      return;
    }
    const outcomes: TaskOutcome<Result>[] = [];
    stages.begin();
    for (const task of message.tasks) {
      outcomes.push(runOne(task));
      Atomics.add(progress, 0, 1);
    }
    answer({ type: 'results', id: message.id, outcomes, stageMs: stages.take() });
  });

  server.apply(current, partsOf(current));
  answer({ type: 'ready', stateVersion: birth.stateVersion });
}
