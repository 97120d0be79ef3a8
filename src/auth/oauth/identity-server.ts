/**
 * Calls to one server of an issuer: a login provider, or the key set of a host application. After repeated failures its
 * circuit breaker opens, and calls fail at once instead of waiting for a dead server.
 */
import { type BreakerState, createCircuitBreaker } from '../../concurrency/circuit-breaker.ts';
import { Failure } from '../../errors.ts';
import type { Outage } from '../../logger/outages.ts';
import { BadAnswer } from './fetch-json.ts';

export interface IdentityServerSettings {
  /** The longest time of one call. */
  readonly timeoutMs: number;
  /** Failures in a row that open the breaker. */
  readonly failuresToOpen: number;
  readonly probePauseMaxMs: number;
}

export interface IdentityServer {
  readonly timeoutMs: number;
  /** @throws Failure `unavailable` while the breaker is open */
  readonly requireAnswering: () => void;
  /**
   * Runs work that calls the server. A `Failure` or a `BadAnswer` from it shows that the server is up.
   * @throws Failure `unavailable` while the breaker is open, and if the server does not answer
   */
  readonly call: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly stop: () => void;
}

const pauseMs = 500;

export function createIdentityServer({
  name,
  probeUrl,
  settings,
  onBreaker,
  outage,
}: {
  /** For messages and logs. */
  name: string;
  /** A GET that answers anything but 5xx shows that the server is back. */
  probeUrl: string;
  settings: IdentityServerSettings;
  onBreaker: (state: BreakerState) => void;
  outage: Outage;
}): IdentityServer {
  async function probe(): Promise<void> {
    const response = await fetch(probeUrl, { signal: AbortSignal.timeout(settings.timeoutMs), redirect: 'manual' });
    await response.body?.cancel();
    if (response.status >= 500) throw new Error(`${new URL(probeUrl).host} answered ${response.status}`);
  }
  const breaker = createCircuitBreaker({
    settings: { failuresToOpen: settings.failuresToOpen, pauseMs, pauseMaxMs: settings.probePauseMaxMs },
    probe,
    onChange: onBreaker,
    outage,
    reportAfter: 1,
  });
  onBreaker('closed');

  const away = (cause?: unknown) =>
    new Failure('unavailable', `${name} does not answer`, { retryAfterMs: settings.probePauseMaxMs, cause });

  function requireAnswering(): void {
    if (breaker.state() !== 'closed') throw away();
  }

  return {
    timeoutMs: settings.timeoutMs,
    requireAnswering,
    call: async (work) => {
      requireAnswering();
      try {
        const result = await work();
        breaker.succeeded();
        return result;
      } catch (error) {
        if (error instanceof Failure ? error.code !== 'unavailable' : error instanceof BadAnswer) {
          breaker.succeeded();
          throw error;
        }
        breaker.failed(error);
        throw error instanceof Failure ? error : away(error);
      }
    },
    stop: breaker.stop,
  };
}
