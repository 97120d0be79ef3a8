/**
 * How many drafts one judge (a processing instance, or the engine of this process) is given at once, so that it answers each of
 * them well within its deadline. What it cannot take yet waits in the draft queue, which knows how long and can say so.
 *
 * The window grows with every batch that is answered in the target time and shrinks in proportion with one that takes longer, as
 * the window of a TCP sender does. It starts small, because a process that has just started is several times slower than later.
 */

export interface SendPace {
  /** Drafts that may be given now. */
  readonly room: () => number;
  /** Drafts per millisecond that the judge is believed to bear. */
  readonly perMs: () => number;
  readonly given: (count: number) => void;
  /** A batch was answered after `tookMs`; `failed` if it was not answered with verdicts. */
  readonly finished: (count: number, tookMs: number, failed: boolean) => void;
}

export interface SendPaceSettings {
  /** A batch should be answered in this time. */
  readonly targetMs: number;
  readonly windowStart: number;
  readonly windowMin: number;
  readonly windowMax: number;
}

/** The pace of one judge. */
export function createSendPace({ targetMs, windowStart, windowMin, windowMax }: SendPaceSettings): SendPace {
  let window = Math.min(windowStart, windowMax);
  let given = 0;
  let shrunkAtMs = Number.NEGATIVE_INFINITY;

  function shrink(tookMs: number): void {
    const nowMs = performance.now();
    // What was given before the window last shrank says nothing about the window since.
    if (nowMs - tookMs < shrunkAtMs) return;
    shrunkAtMs = nowMs;
    window = Math.max(windowMin, Math.floor(window * Math.max(0.5, targetMs / tookMs)));
  }

  return {
    room: () => Math.max(0, window - given),
    perMs: () => window / targetMs,
    given: (count) => {
      given += count;
    },
    finished: (count, tookMs, failed) => {
      // An idle judge proves nothing about a larger window.
      const isLimiting = given >= window / 2;
      given -= count;
      if (failed || tookMs > targetMs) shrink(failed ? Math.max(tookMs, 2 * targetMs) : tookMs);
      else if (isLimiting) window = Math.min(windowMax, window + count);
    },
  };
}
