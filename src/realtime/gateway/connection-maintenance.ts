/**
 * The periodic care for open sockets: pings and silent peers, tokens that end, logins that ended, memberships that
 * began while a hint was lost, and a process that stood still. Authority found gone closes the socket here.
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { logLevelOf } from '../../database/database-errors.ts';
import type { JoinHint } from '../cluster/hints.ts';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { type Connection, type ConnectionUser, closeCodes } from '../socket/connection.ts';

export interface ConnectionMaintenanceSettings {
  readonly heartbeat: number;
  readonly pongTimeout: number;
  readonly membershipCheck: number;
  /** A gap this long between two looks at the clock means that the process stood still. */
  readonly stallMs: number;
}

export interface ConnectionMaintenanceSources {
  readonly isRevoked: (user: ConnectionUser) => boolean;
  /** Reads what ended since the last look. */
  readonly syncRevocations: () => Promise<void>;
  /** Memberships that began since the last look, of anybody. */
  readonly newMemberships: () => Promise<readonly JoinHint[]>;
}

export function startConnectionMaintenance<State extends FeedState>({
  hub,
  open,
  sources,
  stalls,
  logger,
  settings,
}: {
  hub: Hub<State>;
  open: () => Iterable<Connection>;
  sources: ConnectionMaintenanceSources;
  stalls: Counter;
  logger: Logger;
  settings: ConnectionMaintenanceSettings;
}): { checkAuthority: () => void; stop: () => void } {
  let lastLookMs = performance.now();

  function ping(): void {
    const nowMs = performance.now();
    for (const connection of open()) {
      if (nowMs - connection.seenAt > settings.heartbeat + settings.pongTimeout) connection.terminate();
      else if (connection.state === 'live' && nowMs - connection.seenAt > settings.heartbeat / 2)
        connection.socket.ping();
    }
  }

  function checkAuthority(): void {
    const now = Date.now();
    for (const connection of open()) {
      // Also of who was proved and is not welcomed yet.
      if (connection.state === 'closing' || !connection.user) continue;
      if (sources.isRevoked(connection.user)) connection.close(closeCodes.revoked, 'session revoked');
      else if (connection.user.expiresAt <= now) connection.close(closeCodes.unauthenticated, 'token expired');
    }
  }

  /** After a stall nothing is written before it is known what ended meanwhile; a write may come before the timer below. */
  function noticeStall(): Promise<void> | undefined {
    const nowMs = performance.now();
    const gapMs = nowMs - lastLookMs;
    if (gapMs <= settings.stallMs) return undefined;
    lastLookMs = nowMs;
    stalls.inc();
    logger.warn(
      { gapMs: Math.round(gapMs) },
      'the process stood still; authority is read again before anything is sent',
    );
    return readAuthority();
  }

  function lookAtClock(): void {
    const wait = noticeStall();
    if (wait) {
      hub.turn.holdUntil(wait);
      return;
    }
    lastLookMs = performance.now();
    checkAuthority();
  }

  async function readAuthority(): Promise<void> {
    try {
      await sources.syncRevocations();
    } catch (error) {
      logger[logLevelOf(error)]({ error }, 'revocations could not be read');
    }
    checkAuthority();
  }

  let checking = false;
  async function checkMemberships(): Promise<void> {
    if (checking) return;
    checking = true;
    try {
      for (const joined of await sources.newMemberships()) hub.onJoin(joined);
    } catch (error) {
      logger.debug({ error }, 'membership check failed');
    } finally {
      checking = false;
    }
  }

  hub.turn.guardBy(noticeStall);
  // From now on: a membership that begins before the first of the periodic looks is found by that one.
  void checkMemberships();
  const timers = [
    setInterval(ping, settings.heartbeat / 2),
    setInterval(lookAtClock, 1000),
    setInterval(() => void checkMemberships(), settings.membershipCheck),
  ];
  return {
    checkAuthority,
    stop: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
