/**
 * Periodic work on open sockets: pings them and ends silent ones, closes those whose token or session has ended, finds memberships
 * whose hint was lost, and reads authority again after a process pause.
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { startPoller } from '../../concurrency/poller.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import type { JoinHint } from '../cluster/hints.ts';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { type Connection, type ConnectionUser, closeCodes } from '../socket/connection.ts';
import type { ProcessPauseDetector } from './process-pause.ts';

/** Milliseconds. */
export interface ConnectionMaintenanceSettings {
  readonly heartbeat: number;
  readonly pongTimeout: number;
  readonly membershipCheck: number;
  /** After a pause of more than this authority is read again before anything is sent. */
  readonly stallMs: number;
}

export interface ConnectionMaintenanceSources {
  /** Whether the session has ended, as far as this instance knows. */
  readonly isRevoked: (user: ConnectionUser) => boolean;
  /** Reads which sessions have ended since the last read. */
  readonly syncRevocations: () => Promise<void>;
  /** Memberships of all users that began since the last read. */
  readonly newMemberships: () => Promise<readonly JoinHint[]>;
}

const authorityCheckMs = 1000;

export function startConnectionMaintenance<State extends FeedState>({
  hub,
  open,
  sources,
  pauses,
  stalls,
  logger,
  settings,
}: {
  hub: Hub<State>;
  open: () => Iterable<Connection>;
  sources: ConnectionMaintenanceSources;
  pauses: ProcessPauseDetector;
  stalls: Counter;
  logger: Logger;
  settings: ConnectionMaintenanceSettings;
}): { checkAuthority: () => void; stop: () => void } {
  /** Reads of authority after a pause that are under way. */
  let reads = 0;

  function ping(): void {
    const nowMs = performance.now();
    for (const connection of open()) {
      if (nowMs - connection.seenAt > settings.heartbeat + settings.pongTimeout) connection.terminate();
      else if (connection.state === 'live' && nowMs - connection.seenAt > settings.heartbeat / 2)
        connection.socket.ping();
    }
  }

  /** Includes connections that are authenticated and not welcomed yet. */
  function checkAuthority(): void {
    const now = Date.now();
    for (const connection of open()) {
      if (connection.state === 'closing' || !connection.user) continue;
      if (sources.isRevoked(connection.user)) connection.close(closeCodes.revoked, 'session revoked');
      else if (connection.user.expiresAt <= now) connection.close(closeCodes.unauthenticated, 'token expired');
    }
  }

  function onPause(pausedMs: number): void {
    stalls.inc();
    logger.warn({ gapMs: Math.round(pausedMs) }, 'the process was paused; authority is read before anything is sent');
    hub.flushScheduler.holdUntil(readAuthority());
  }

  async function readAuthority(): Promise<void> {
    reads += 1;
    try {
      await sources.syncRevocations();
    } catch (error) {
      logger[logLevelOf(error)]({ error }, 'revocations could not be read');
    }
    reads -= 1;
    checkAuthority();
  }

  /** Closing a connection writes what is queued for it, so nothing is closed while authority is being read. */
  function checkAuthorityUnlessReading(): void {
    pauses.look();
    if (reads === 0) checkAuthority();
  }

  async function checkMemberships(): Promise<void> {
    for (const joined of await sources.newMemberships()) hub.onJoin(joined);
  }

  pauses.onPause(settings.stallMs, onPause);
  hub.flushScheduler.guardBy(pauses.look);
  const memberships = startPoller({
    work: checkMemberships,
    everyMs: settings.membershipCheck,
    onError: (error) => logger.debug({ error }, 'membership check failed'),
  });
  // The first read fixes the start: a membership that begins after it is found by a later one.
  memberships.ifIdle();
  const timers = [
    setInterval(ping, settings.heartbeat / 2),
    setInterval(checkAuthorityUnlessReading, authorityCheckMs),
  ];
  return {
    checkAuthority,
    stop: () => {
      memberships.stop();
      for (const timer of timers) clearInterval(timer);
    },
  };
}
