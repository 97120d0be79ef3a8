/**
 * Keeps calls away from a peer that fails, and finds out by itself when it is back.
 *
 * States: `closed` (calls pass) → `open` (none pass) after failures in a row or at once by `trip` → `half-open` when a
 * probe is due → `closed` if the probe succeeds, `open` again with a longer pause if not.
 */

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failuresToOpen: number;
  /** First pause before a probe; each failed probe doubles it up to the largest. Half of it is jitter. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
}

export interface CircuitBreaker {
  readonly state: () => BreakerState;
  readonly succeeded: () => void;
  readonly failed: () => void;
  /** Opens at once: the connection is gone. */
  readonly trip: () => void;
  readonly stop: () => void;
}

export interface BreakerOptions {
  readonly settings: BreakerSettings;
  /** Tries the peer once; resolves if it is well. */
  readonly probe: () => Promise<void>;
  readonly onChange?: (state: BreakerState) => void;
}

/** A closed breaker. */
export function createCircuitBreaker({ settings, probe, onChange }: BreakerOptions): CircuitBreaker {
  let state: BreakerState = 'closed';
  let failures = 0;
  let failedProbes = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function change(next: BreakerState): void {
    if (state === next) return;
    state = next;
    onChange?.(next);
  }

  function open(): void {
    if (stopped) return;
    change('open');
    clearTimeout(timer);
    const pauseMs = Math.min(settings.pauseMs * 2 ** failedProbes, settings.pauseMaxMs);
    // Jitter, so that many callers do not all probe a returning peer in the same instant.
    timer = setTimeout(() => void tryOnce(), pauseMs * (0.5 + Math.random() / 2));
    timer.unref();
  }

  async function tryOnce(): Promise<void> {
    change('half-open');
    try {
      await probe();
    } catch {
      failedProbes++;
      return open();
    }
    if (stopped) return;
    failures = 0;
    failedProbes = 0;
    change('closed');
  }

  return {
    state: () => state,
    succeeded: () => {
      failures = 0;
    },
    failed: () => {
      failures++;
      if (state === 'closed' && failures >= settings.failuresToOpen) open();
    },
    trip: () => {
      if (state === 'closed') open();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
