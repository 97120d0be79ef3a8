/** Looks every few milliseconds, while a thread holds work, whether one of them has been on the same item for too long. */

interface WatchedThread {
  readonly inFlight: readonly unknown[];
  readonly stuckMs: (nowMs: number) => number;
  readonly current: () => unknown;
}

export interface OverrunWatch {
  /** A thread was given work: looks until none holds any. */
  readonly start: () => void;
  readonly stop: () => void;
}

const watchEveryMs = 10;

/** @param limitMs how long the item in progress may take  @param onOverrun a thread took longer */
export function createOverrunWatch<Thread extends WatchedThread>(
  threads: ReadonlySet<Thread>,
  limitMs: (thread: Thread) => number,
  onOverrun: (thread: Thread) => void,
): OverrunWatch {
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const nowMs = performance.now();
    for (const thread of [...threads])
      if (thread.stuckMs(nowMs) > limitMs(thread) && thread.current()) onOverrun(thread);
    if ([...threads].some((thread) => thread.inFlight.length > 0)) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    start: () => {
      timer ??= setInterval(look, watchEveryMs);
    },
    stop: () => clearInterval(timer),
  };
}
