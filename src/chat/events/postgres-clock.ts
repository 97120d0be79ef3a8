/** Postgres' clock as this instance knows it from the last commits: mutes and slow mode are measured by it. */
export interface PostgresClock {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /**
   * @param atMs what Postgres answered
   * @param startedMs when it was asked, monotonic: the answer is later than that
   */
  readonly adjust: (atMs: number, startedMs: number) => void;
}

export function createPostgresClock(): PostgresClock {
  let offsetMs = Date.now() - performance.now();
  return {
    nowMs: () => performance.now() + offsetMs,
    adjust: (atMs, startedMs) => {
      offsetMs = atMs - startedMs;
    },
  };
}
