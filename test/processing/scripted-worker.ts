/** A worker whose items say what the thread does: for tests of the pool. */
import { serveTasks } from '../../src/processing/pool/worker-thread.ts';

export interface ScriptedTask {
  readonly name: string;
  readonly behaviour: 'well' | 'spins' | 'throws' | 'exits' | 'spins-once' | 'tells-changes';
  /** Shared by the tries of one item: how often it was run. */
  readonly tries?: SharedArrayBuffer;
  readonly waitMs?: number;
}

export interface ScriptedState {
  readonly greeting: string;
  readonly ending?: string;
  /** Applying it takes until `over` is set; `applying` counts the threads that began. */
  readonly waitFor?: { readonly applying: SharedArrayBuffer; readonly over: SharedArrayBuffer };
}

let greeting = '';
let ending = '';
let changes = '';

function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

serveTasks<ScriptedTask, string, ScriptedState>({
  apply: (state, changed) => {
    if (state.greeting === 'broken') throw new Error('cannot greet like that');
    if (changed.has('waitFor') && state.waitFor) {
      Atomics.add(new Int32Array(state.waitFor.applying), 0, 1);
      Atomics.wait(new Int32Array(state.waitFor.over), 0, 0);
    }
    greeting = state.greeting;
    ending = state.ending ?? '';
    changes = [...changed].join();
  },
  run: (task, stages) => {
    const tries = task.tries ? Atomics.add(new Int32Array(task.tries), 0, 1) : 0;
    if (task.behaviour === 'spins' || (task.behaviour === 'spins-once' && tries === 0)) spin(60_000);
    if (task.behaviour === 'exits') process.exit(3);
    if (task.behaviour === 'throws') throw new TypeError('no');
    if (task.waitMs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, task.waitMs);
    stages.lap('greet');
    if (task.behaviour === 'tells-changes') return changes;
    return `${greeting} ${task.name}${ending}`;
  },
});
