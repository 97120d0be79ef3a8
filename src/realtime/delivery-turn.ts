/**
 * Writes sockets once per turn of the event loop. Under load a turn gathers many frames, so the number of writes
 * falls as the load grows; when idle the write happens in the same turn and nothing waits.
 */
import type { Connection } from './connection.ts';

export interface DeliveryTurn {
  /** Has `connection.flush()` called at the end of this turn. */
  readonly touch: (connection: Connection) => void;
  /** Has `work` run at the end of this turn, before the sockets are written. It may return true to be run again next turn. */
  readonly beforeWrite: (work: () => boolean) => void;
  /** Writes nothing until the promise settles; used after a stall, to re-read authority first. */
  readonly holdUntil: (settled: Promise<unknown>) => void;
  /** Asked before every write; a promise that it returns is waited for first. */
  readonly guardBy: (guard: () => Promise<unknown> | undefined) => void;
}

/** @param onWritten told after each turn how many seconds its oldest event waited for its last reader to be written to */
export function createDeliveryTurn(onWritten: (seconds: number) => void): DeliveryTurn {
  let touched: Connection[] = [];
  let works: (() => boolean)[] = [];
  let scheduled = false;
  /** When the oldest event came that is not with all its readers, by the monotonic clock. */
  let eventSinceMs: number | undefined;
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
    for (const work of due) if (work()) works.push(work);
    const connections = touched;
    touched = [];
    for (const connection of connections) connection.flush();
    if (eventSinceMs !== undefined && works.length === 0) {
      onWritten((performance.now() - eventSinceMs) / 1000);
      eventSinceMs = undefined;
    }
    if (works.length > 0 || touched.length > 0) schedule();
  }

  function touch(connection: Connection): void {
    touched.push(connection);
    schedule();
  }

  function beforeWrite(work: () => boolean): void {
    works.push(work);
    eventSinceMs ??= performance.now();
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
