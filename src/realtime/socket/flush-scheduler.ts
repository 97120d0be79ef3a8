/**
 * Writes sockets once per turn of the event loop. Under load a turn gathers many frames, so the number of writes
 * falls as the load grows; when idle the write happens in the same turn and nothing waits.
 */
import type { Connection } from './connection.ts';

/** A step of a turn; it returns what is left for the next turn, if anything. */
export type TurnWork = () => TurnWork | undefined;

export interface FlushScheduler {
  /** Has `connection.flush()` called at the end of this turn. */
  readonly touch: (connection: Connection) => void;
  /**
   * Has `work` run at the end of this turn, before the sockets are written.
   * @param sinceMs when the oldest event came that it hands to readers, by the monotonic clock
   */
  readonly beforeWrite: (work: TurnWork, sinceMs: number) => void;
  /** Writes nothing until the promise settles; used after a stall, to re-read authority first. */
  readonly holdUntil: (settled: Promise<unknown>) => void;
  /** Asked before every write; a promise that it returns is waited for first. */
  readonly guardBy: (guard: () => Promise<unknown> | undefined) => void;
}

/** @param onWritten told after a turn how many seconds the oldest event waited of those whose last reader was written to in it */
export function createFlushScheduler(onWritten: (seconds: number) => void): FlushScheduler {
  let touched: Connection[] = [];
  let works: { readonly work: TurnWork; readonly sinceMs: number }[] = [];
  let scheduled = false;
  let holds = 0;
  let guard: () => Promise<unknown> | undefined = () => undefined;

  function schedule(): void {
    if (scheduled || holds > 0) return;
    scheduled = true;
    setImmediate(run);
  }

  function run(): void {
    scheduled = false;
    if (holds > 0) return;
    const wait = guard();
    if (wait) {
      holdUntil(wait);
      return;
    }
    const due = works;
    works = [];
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { work, sinceMs } of due) {
      const rest = work();
      if (rest) works.push({ work: rest, sinceMs });
      else oldestMs = Math.min(oldestMs, sinceMs);
    }
    const connections = touched;
    touched = [];
    for (const connection of connections) connection.flush();
    if (Number.isFinite(oldestMs)) onWritten((performance.now() - oldestMs) / 1000);
    if (works.length > 0 || touched.length > 0) schedule();
  }

  function touch(connection: Connection): void {
    touched.push(connection);
    schedule();
  }

  function beforeWrite(work: TurnWork, sinceMs: number): void {
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
    guardBy: (asked) => {
      guard = asked;
    },
  };
}
