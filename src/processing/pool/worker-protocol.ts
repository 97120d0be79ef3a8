/**
 * What the pool and its threads say to each other. Plain data over a MessagePort, in batches: one message a batch costs
 * the same whether it holds one text or a hundred. Beside it a shared counter of finished items lets the pool see a
 * thread that no longer answers.
 */

/** Handed to a thread at birth. */
export interface ThreadBirth<State> {
  /** One Int32: items finished since birth, written by the thread, watched by the pool. */
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

/** What became of one item. `threw` is a bug in the task's code; the other two cost the thread its life, twice. */
export type TaskOutcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly reason: 'threw' | 'overran' | 'crashed'; readonly detail: string };
