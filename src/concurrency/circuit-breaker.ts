/**
 * Keeps calls away from a peer that fails, and finds out by itself when it is back.
 *
 * States: `closed` (calls pass) → `open` (none pass) after failures in a row or at once by `trip` → `half-open` when a
 * probe is due → `closed` if the probe succeeds, `open` again with a longer pause if not.
 */

import type { Outage } from '../logger/outages.ts';

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
  readonly failed: (cause?: unknown) => void;
  /** Opens at once: the connection is gone. */
  readonly trip: (cause?: unknown) => void;
  readonly stop: () => void;
}

export interface BreakerOptions {
  readonly settings: BreakerSettings;
  /** Tries the peer once; resolves if it is well. */
  readonly probe: () => Promise<void>;
  readonly onChange?: (state: BreakerState) => void;
  /** Told why calls and probes fail, and of the end. */
  readonly outage?: Outage;
  /**
   * Failures in a row from which the outage is reported; default: those that open the breaker. From then on the peer is probed
   * even if nobody calls it, so that the end is noticed.
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
    // Jitter, so that many callers do not all probe a returning peer in the same instant.
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
      timer ??= setTimeout(() => void lookAgain(), settings.pauseMs).unref();
    }
  }

  /** Still closed, and nobody may call soon. */
  async function lookAgain(): Promise<void> {
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
