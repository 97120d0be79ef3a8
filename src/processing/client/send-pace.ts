/**
 * Decides how many drafts one judge (a processing instance, or the engine of this process) is given at once, so that it answers
 * each well within its deadline. Other drafts wait in the draft queue, which can estimate their wait.
 *
 * Like a TCP window, the window grows with every batch that is answered in the target time, and shrinks in proportion when a
 * batch takes longer. It starts small, because a process is several times slower just after its start.
 */

export interface SendPace {
  /** Drafts that the judge may be given now. */
  readonly room: () => number;
  /** Estimated drafts per millisecond that the judge can handle. */
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
    // A batch from before the last shrinking says nothing about the present window.
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
      // A judge that was mostly idle does not show that a larger window works.
      const isLimiting = given >= window / 2;
      given -= count;
      if (failed || tookMs > targetMs) shrink(failed ? Math.max(tookMs, 2 * targetMs) : tookMs);
      else if (isLimiting) window = Math.min(windowMax, window + count);
    },
  };
}
