/**
 * The way to one server that vouches for people: a login provider or the key set of a host application. When it fails
 * again and again its breaker opens, and callers are told at once instead of waiting for a dead server.
 */
import { type BreakerState, createCircuitBreaker } from '../../concurrency/circuit-breaker.ts';
import { Failure } from '../../errors.ts';
import type { Outage } from '../../logger/outages.ts';
import { BadAnswer } from './fetch-json.ts';

export interface IdentityServerSettings {
  /** One call to the server takes no longer. */
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
   * Does work that calls the server. A `Failure` of it and a `BadAnswer` are answers: the server is there.
   * @throws Failure `unavailable` while the breaker is open, and when the server does not answer
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
  /** What people call the server. */
  name: string;
  /** Any answer to a GET of it but a 5xx shows that the server is back. */
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
