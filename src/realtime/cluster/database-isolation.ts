/**
 * An instance that lost Postgres while others did not is of no use to its clients: it sends them to the others. One that lost it
 * together with all others keeps its sockets, for there is nowhere to go. Which of the two it is the others say: each that reaches
 * Postgres tells so over the hints' link.
 *
 * States: joined → alone (Postgres does not answer) → cut off (it has not for `cutOffAfter`, and somebody else just reached it) →
 * joined, as soon as Postgres answers.
 */

import type { Logger } from 'pino';
import type { Gauge } from 'prom-client';
import { startPoller } from '../../concurrency/poller.ts';
import type { Hints } from './hints.ts';

export interface DatabaseIsolationSettings {
  /** Postgres is asked this often. */
  readonly checkMs: number;
  /** Without an answer for this long the clients are sent away, if there is somewhere to go. */
  readonly cutOffAfterMs: number;
}

export interface DatabaseIsolationWatch {
  readonly isCutOff: () => boolean;
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
  /** Whether Postgres answers; it answers itself in bounded time. */
  probe: () => Promise<'up' | 'down'>;
  hints: Pick<Hints, 'announceHealth' | 'onPeerHealth'>;
  /** Tells all clients to come back elsewhere. */
  sendAway: () => void;
  metric: Gauge;
  logger: Logger;
  settings: DatabaseIsolationSettings;
}): DatabaseIsolationWatch {
  let reachedMs = performance.now();
  let peerReachedMs = Number.NEGATIVE_INFINITY;
  let databaseIsolation = false;

  function become(next: boolean): void {
    if (databaseIsolation === next) return;
    databaseIsolation = next;
    metric.set(next ? 1 : 0);
    logger.warn(
      { databaseIsolation },
      next ? 'cut off from the database; clients are sent to other instances' : 'reached again',
    );
    if (next) sendAway();
  }

  async function look(): Promise<void> {
    const state = await probe();
    const nowMs = performance.now();
    if (state === 'up') {
      reachedMs = nowMs;
      become(false);
      hints.announceHealth();
    } else if (nowMs - reachedMs > settings.cutOffAfterMs && nowMs - peerReachedMs < settings.checkMs * 3) become(true);
  }

  hints.onPeerHealth(() => {
    peerReachedMs = performance.now();
  });
  const poller = startPoller({
    work: look,
    everyMs: settings.checkMs,
    onError: (error) => logger.debug({ error }, 'the database could not be probed'),
  });

  return { isCutOff: () => databaseIsolation, stop: poller.stop };
}
