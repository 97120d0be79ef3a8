/** Brings new states (rules, weights) to the threads, one thread after the other, so the others work on. */
import { startEarly } from '../../concurrency/start-early.ts';

interface StatefulThread<State> {
  readonly reload: (changes: Partial<State>, version: number) => Promise<void>;
}

export interface StateRollout<State> {
  /** What a new thread starts with. */
  readonly current: () => { readonly state: State; readonly stateVersion: number };
  /**
   * Resolves when every thread has applied the state. States are rolled out in the order of the calls.
   * @throws a thread's complaint; then all threads keep, or get back, the state before
   */
  readonly reload: (next: State) => Promise<void>;
}

export interface StateRolloutOptions<State> {
  readonly state: State;
  readonly threads: Iterable<StatefulThread<State>>;
  readonly isStopped: () => boolean;
  /** A thread began or ended applying a state: work may go to others now. */
  readonly onChange: () => void;
}

export function createStateRollout<State extends object>({
  state: initial,
  threads,
  isStopped,
  onChange,
}: StateRolloutOptions<State>): StateRollout<State> {
  let state = initial;
  let stateVersion = 0;
  let last: Promise<unknown> = Promise.resolve();

  function reload(next: State): Promise<void> {
    const reloaded = last.then(() => applyEverywhere(next));
    last = reloaded.catch(() => undefined); // the caller of `reload` gets the failure
    return reloaded;
  }

  async function applyEverywhere(next: State): Promise<void> {
    const previous = state;
    const changes = changesOf(previous, next);
    const version = ++stateVersion;
    const present = [...threads];
    state = next; // threads that start from now on begin with it
    const applied: StatefulThread<State>[] = [];
    try {
      for (const thread of present) {
        if (isStopped()) return;
        const loading = startEarly(() => thread.reload(changes, version));
        onChange();
        await loading;
        applied.push(thread);
      }
    } catch (error) {
      state = previous;
      // If one thread refuses a state, the others would too. Threads that applied it already go back all the same.
      const back = changesOf(next, previous);
      await Promise.allSettled(applied.map((thread) => thread.reload(back, ++stateVersion)));
      throw error;
    } finally {
      onChange();
    }
  }

  return { current: () => ({ state, stateVersion }), reload };
}

/** The parts of `next` that are not the very values of `previous`. */
function changesOf<State extends object>(previous: State, next: State): Partial<State> {
  const changed = (Object.keys(next) as (keyof State)[]).filter((part) => next[part] !== previous[part]);
  return Object.fromEntries(changed.map((part) => [part, next[part]])) as Partial<State>;
}
