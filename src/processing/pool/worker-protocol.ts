/**
 * The messages between the pool and its threads: plain data over a MessagePort, in batches, because a message costs about the same
 * for one text or a hundred. A shared counter of finished items shows the pool whether a thread still makes progress.
 */

/** The `workerData` of a new thread. */
export interface ThreadBirth<State> {
  /** One Int32: items finished since the start. The thread writes it, the pool reads it. */
  readonly progress: SharedArrayBuffer;
  readonly state: State;
  readonly stateVersion: number;
}

export type ToThread<Task, State> =
  | { readonly type: 'batch'; readonly id: number; readonly tasks: readonly Task[] }
  /** Only the parts of the state that are new; the thread keeps the others. */
  | { readonly type: 'state'; readonly version: number; readonly changes: Partial<State> };

export type FromThread<Result> =
  | { readonly type: 'ready'; readonly stateVersion: number }
  | { readonly type: 'state'; readonly version: number; readonly problem?: string }
  | {
      readonly type: 'results';
      readonly id: number;
      readonly outcomes: readonly TaskOutcome<Result>[];
      /** Milliseconds spent per stage, summed over the batch. */
      readonly stageMs: Readonly<Record<string, number>>;
    };

/** The outcome of one item. `threw` is a bug in the task's code; with the other two, the item lost two threads. */
export type TaskOutcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly reason: 'threw' | 'overran' | 'crashed'; readonly detail: string };
