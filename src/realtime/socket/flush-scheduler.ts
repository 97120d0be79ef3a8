/**
 * Writes sockets once per tick of the event loop. Under load a tick gathers many frames, so the number of writes falls as the load
 * grows. When idle the write happens in the same tick, so nothing waits.
 *
 * States: idle → scheduled (a tick will write) → idle; held (nothing is written until all holds have ended) → scheduled.
 */

/** A connection, as the scheduler sees it. */
export interface Flushable {
  readonly flush: () => void;
}

/** A step of a tick. It returns the rest for the next tick, if there is one. */
export type TickWork = () => TickWork | undefined;

export interface FlushScheduler {
  /** Calls `connection.flush()` at the end of this tick. */
  readonly touch: (connection: Flushable) => void;
  /**
   * Runs `work` at the end of this tick, before the sockets are written.
   * @param sinceMs when the oldest event came that the work hands to readers, by the monotonic clock
   */
  readonly beforeWrite: (work: TickWork, sinceMs: number) => void;
  /** Writes nothing until the promise settles. Used after a process pause, to read authority first. */
  readonly holdUntil: (settled: Promise<unknown>) => void;
  /** @param guard called before every write; it may call `holdUntil`, and then nothing is written in this tick */
  readonly guardBy: (guard: () => void) => void;
}

/** @param onWritten called after a tick that reached the last reader of an event, with how many seconds the oldest of these waited */
export function createFlushScheduler(onWritten: (seconds: number) => void): FlushScheduler {
  let touched: Flushable[] = [];
  let works: { readonly work: TickWork; readonly sinceMs: number }[] = [];
  let scheduled = false;
  let holds = 0;
  let guard = () => {};

  function schedule(): void {
    if (scheduled || holds > 0) return;
    scheduled = true;
    setImmediate(run);
  }

  function run(): void {
    scheduled = false;
    if (holds === 0) guard();
    if (holds > 0) return;
    const oldestMs = runWorks();
    const connections = touched;
    touched = [];
    for (const connection of connections) connection.flush();
    if (Number.isFinite(oldestMs)) onWritten((performance.now() - oldestMs) / 1000);
    if (works.length > 0 || touched.length > 0) schedule();
  }

  /** @returns since when the oldest event waited whose work is done; infinite when none is */
  function runWorks(): number {
    const due = works;
    works = [];
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { work, sinceMs } of due) {
      const rest = work();
      if (rest) works.push({ work: rest, sinceMs });
      else oldestMs = Math.min(oldestMs, sinceMs);
    }
    return oldestMs;
  }

  function touch(connection: Flushable): void {
    touched.push(connection);
    schedule();
  }

  function beforeWrite(work: TickWork, sinceMs: number): void {
    works.push({ work, sinceMs });
    schedule();
  }

  function holdUntil(settled: Promise<unknown>): void {
    holds += 1;
    const release = () => {
      holds -= 1;
      schedule();
    };
    settled.then(release, release);
  }

  return {
    touch,
    beforeWrite,
    holdUntil,
    guardBy: (next) => {
      guard = next;
    },
  };
}
