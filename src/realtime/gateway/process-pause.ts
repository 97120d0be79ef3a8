/**
 * Notices that this process stood still: a suspended machine, a SIGSTOP, a long garbage collection. One detector looks at the clock;
 * its listeners decide what a pause means for them. See docs/internals/process-pauses.md.
 */

export interface ProcessPauseDetector {
  /**
   * Looks at the clock now. If the process was paused since the last look, the listeners run within this call. So a caller that looks
   * first never acts before they have.
   */
  readonly look: () => void;
  /** @param listener called with the length of each pause of more than `overMs` milliseconds */
  readonly onPause: (overMs: number, listener: (pausedMs: number) => void) => void;
  readonly stop: () => void;
}

const lookEveryMs = 250;

/** @param clock milliseconds of a monotonic clock */
export function startProcessPauseDetector(clock = () => performance.now()): ProcessPauseDetector {
  const listeners: { readonly overMs: number; readonly listener: (pausedMs: number) => void }[] = [];
  let lastLookMs = clock();

  function look(): void {
    const nowMs = clock();
    const gapMs = nowMs - lastLookMs;
    lastLookMs = nowMs;
    for (const { overMs, listener } of listeners) if (gapMs > overMs) listener(gapMs);
  }
  const timer = setInterval(look, lookEveryMs);

  return {
    look,
    onPause: (overMs, listener) => void listeners.push({ overMs, listener }),
    stop: () => clearInterval(timer),
  };
}

/**
 * The moment after a pause, in which requests that are read may be old: they lay in the kernel's buffers, and their clients may have
 * retried elsewhere and been refused for certain. So they wait for `graceMs`, in which the close of such a connection is read too.
 */
export interface WakeGrace {
  /** The process was paused, and woke less than `graceMs` ago. */
  readonly isJustAwake: () => boolean;
  /** Milliseconds. */
  readonly graceMs: number;
}

const graceMs = 100;

/** @param overMs shorter pauses do not count */
export function createWakeGrace(
  detector: Pick<ProcessPauseDetector, 'look' | 'onPause'>,
  overMs: number,
  clock = () => performance.now(),
): WakeGrace {
  let awakeSinceMs = Number.NEGATIVE_INFINITY;
  detector.onPause(overMs, () => {
    awakeSinceMs = clock();
  });
  return {
    isJustAwake: () => {
      // Sockets may be read before the detector's timer has run.
      detector.look();
      return clock() - awakeSinceMs < graceMs;
    },
    graceMs,
  };
}
