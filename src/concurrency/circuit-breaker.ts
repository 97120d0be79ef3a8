/**
 * Keeps calls away from a service that fails, and finds out by itself when it works again.
 *
 * States: `closed` (calls pass) → `open` (none pass) after failures in a row or at once by `trip` → `half-open` when a
 * probe is due → `closed` if the probe succeeds, `open` again with a longer pause if not.
 */

import type { Outage } from '../logger/outages.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerSettings {
  /** Failures in a row that open the breaker. */
  readonly failuresToOpen: number;
  /** First pause before a probe. Each failed probe doubles it, up to `pauseMaxMs`. Half of it is jitter. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
}

export interface CircuitBreaker {
  readonly state: () => BreakerState;
  readonly succeeded: () => void;
  readonly failed: (cause?: unknown) => void;
  /** Opens at once, because the connection is gone. */
  readonly trip: (cause?: unknown) => void;
  readonly stop: () => void;
}

export interface BreakerOptions {
  readonly settings: BreakerSettings;
  /** Calls the service once; resolves if it works. */
  readonly probe: () => Promise<void>;
  readonly onChange?: (state: BreakerState) => void;
  /** Gets the causes of failed calls and probes, and the end of the outage. */
  readonly outage?: Outage;
  /**
   * Failures in a row from which on the outage is reported; default: those that open the breaker. From then on the service is probed
   * even without calls, so that the end is noticed.
   */
  readonly reportAfter?: number;
}

/** A closed breaker. */
export function createCircuitBreaker({
  settings,
  probe,
  onChange,
  outage,
  ...options
}: BreakerOptions): CircuitBreaker {
  const { reportAfter = settings.failuresToOpen } = options;
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

  function open(cause: unknown): void {
    if (stopped) return;
    change('open');
    outage?.failed(cause);
    clearTimeout(timer);
    const pauseMs = Math.min(settings.pauseMs * 2 ** failedProbes, settings.pauseMaxMs);
    // Jitter, so that many callers do not all probe a returning service in the same instant.
    timer = setTimeout(() => void tryOnce(), pauseMs * (0.5 + Math.random() / 2));
    timer.unref();
  }

  async function tryOnce(): Promise<void> {
    change('half-open');
    try {
      await probe();
    } catch (error) {
      failedProbes++;
      return open(error);
    }
    if (stopped) return;
    failures = 0;
    failedProbes = 0;
    change('closed');
    timer = undefined;
    outage?.ended();
  }

  function succeeded(): void {
    failures = 0;
    if (state !== 'closed') return;
    clearTimeout(timer);
    timer = undefined;
    outage?.ended();
  }

  function failed(cause: unknown = 'no answer'): void {
    failures++;
    if (stopped || state !== 'closed') return;
    if (failures >= settings.failuresToOpen) open(cause);
    else if (failures >= reportAfter) {
      outage?.failed(cause);
      timer ??= setTimeout(() => void probeWhileClosed(), settings.pauseMs).unref();
    }
  }

  /** Probes while still closed, because the next call may be far off. */
  async function probeWhileClosed(): Promise<void> {
    timer = undefined;
    try {
      await probe();
    } catch (error) {
      failed(error);
      return;
    }
    if (!stopped) succeeded();
  }

  return {
    state: () => state,
    succeeded,
    failed,
    trip: (cause = 'the connection was lost') => {
      if (state === 'closed') open(cause);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
