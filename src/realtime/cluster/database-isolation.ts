/**
 * Sends the clients to other instances when only this instance has lost Postgres. If all instances lost it, the sockets stay, because no
 * other instance would be better. Each instance that reaches Postgres says so in a hint, which is how the others tell the two cases apart.
 *
 * States: connected → waiting (Postgres does not answer) → isolated (no answer for `isolatedAfterMs`, and another instance has just
 * reached Postgres) → connected, as soon as Postgres answers.
 */

import type { Logger } from 'pino';
import type { Gauge } from 'prom-client';
import { startPoller } from '../../concurrency/poller.ts';
import type { Hints } from './hints.ts';

export interface DatabaseIsolationSettings {
  /** How often Postgres is probed. */
  readonly checkMs: number;
  /** After this long without an answer the clients are sent away, if another instance reaches Postgres. */
  readonly isolatedAfterMs: number;
}

export interface DatabaseIsolationWatch {
  readonly isIsolated: () => boolean;
  readonly stop: () => void;
}

export function startDatabaseIsolationWatch({
  probe,
  hints,
  sendAway,
  metric,
  logger,
  settings,
}: {
  /** Whether Postgres answers. Resolves within a bounded time. */
  probe: () => Promise<'up' | 'down'>;
  hints: Pick<Hints, 'announceHealth' | 'onInstanceHealth'>;
  /** Closes all connections, so that the clients reconnect to other instances. */
  sendAway: () => void;
  metric: Gauge;
  logger: Logger;
  settings: DatabaseIsolationSettings;
}): DatabaseIsolationWatch {
  let reachedMs = performance.now();
  let otherReachedMs = Number.NEGATIVE_INFINITY;
  let isIsolated = false;

  function become(next: boolean): void {
    if (isIsolated === next) return;
    isIsolated = next;
    metric.set(next ? 1 : 0);
    logger.warn(
      { databaseIsolation: isIsolated },
      next
        ? 'this instance alone has lost the database; its clients are sent to other instances'
        : 'the database answers again',
    );
    if (next) sendAway();
  }

  async function check(): Promise<void> {
    const state = await probe();
    const nowMs = performance.now();
    if (state === 'up') {
      reachedMs = nowMs;
      become(false);
      hints.announceHealth();
    } else if (nowMs - reachedMs > settings.isolatedAfterMs && nowMs - otherReachedMs < settings.checkMs * 3)
      become(true);
  }

  hints.onInstanceHealth(() => {
    otherReachedMs = performance.now();
  });
  const poller = startPoller({
    work: check,
    everyMs: settings.checkMs,
    onError: (error) => logger.debug({ error }, 'the database could not be probed'),
  });

  return { isIsolated: () => isIsolated, stop: poller.stop };
}
