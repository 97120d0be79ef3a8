/**
 * Knows whether what is being read now may have lain in the kernel while this process stood still (a pause of its machine, a
 * SIGSTOP). Whoever sent it may have given up long ago, asked elsewhere under the same key, and been refused for certain: so
 * it waits a moment, in which the news that its sender has gone is read as well, and is then let fall.
 */

export interface ProcessPauseWatch {
  /** The process stood still, and woke less than `graceMs` ago. */
  readonly isJustAwake: () => boolean;
  /** How long what is read meanwhile waits, milliseconds. */
  readonly graceMs: number;
  readonly stop: () => void;
}

const lookEveryMs = 250;
const graceMs = 100;

/** @param frozenMs a gap this long between two looks at the clock means that the process stood still */
export function startProcessPauseWatch(frozenMs: number): ProcessPauseWatch {
  let lastLookMs = performance.now();
  let awakeSinceMs = Number.NEGATIVE_INFINITY;

  function look(): void {
    const nowMs = performance.now();
    if (nowMs - lastLookMs > frozenMs) awakeSinceMs = nowMs;
    lastLookMs = nowMs;
  }
  const timer = setInterval(look, lookEveryMs);

  return {
    isJustAwake: () => {
      const nowMs = performance.now();
      // What arrived is read before the timer gets its turn.
      if (nowMs - lastLookMs > frozenMs) look();
      return nowMs - awakeSinceMs < graceMs;
    },
    graceMs,
    stop: () => clearInterval(timer),
  };
}
