/** Work that runs once at a time, however many callers want it. */
export interface SingleFlight<Value> {
  /** Joins the run under way, or starts one. @throws what the work throws */
  readonly share: () => Promise<Value>;
  /** A run that starts after this call: if one is under way, the one after it. @throws what the work throws */
  readonly fresh: () => Promise<Value>;
  readonly isRunning: () => boolean;
  /** Resolves when the run under way, if any, has ended. Never rejects. */
  readonly settled: () => Promise<void>;
}

export function createSingleFlight<Value>(work: () => Promise<Value>): SingleFlight<Value> {
  let running: Promise<Value> | undefined;

  function share(): Promise<Value> {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function settled(): Promise<void> {
    await running?.then(ignore, ignore);
  }

  async function fresh(): Promise<Value> {
    await settled();
    // Others may have waited for the same end: they share one run, which began after all of these calls.
    return share();
  }

  return { share, fresh, isRunning: () => running !== undefined, settled };
}

const ignore = () => {};
