/** Background work that repeats, one run at a time. A run that fails is reported, and the next one comes as usual. */
export interface Poller {
  /** Runs now, unless a run is under way. */
  readonly ifIdle: () => void;
  /** Runs now. A run that is under way may have read too early, so another one follows it. */
  readonly surely: () => void;
  /** No run begins from now on. */
  readonly stop: () => void;
  /** Resolves when the run under way, if any, has ended. Never rejects. */
  readonly settled: () => Promise<void>;
}

/** @param onError called with the error of each run that fails */
export function startPoller({
  work,
  everyMs,
  onError,
}: {
  work: () => Promise<unknown>;
  everyMs: number;
  onError: (error: unknown) => void;
}): Poller {
  let running: Promise<unknown> | undefined;
  let isAnotherWanted = false;
  let stopped = false;

  function ifIdle(): void {
    if (stopped || running) return;
    isAnotherWanted = false;
    running = work()
      .catch(onError)
      .finally(() => {
        running = undefined;
        if (isAnotherWanted) ifIdle();
      });
  }

  const timer = setInterval(ifIdle, everyMs);

  return {
    ifIdle,
    surely: () => {
      isAnotherWanted = true;
      ifIdle();
    },
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
    settled: async () => {
      await running;
    },
  };
}
