/**
 * Stops banned users from watching public rooms. The ban of a user who is not a member is no event of the room's log, so every
 * instance reads bans from Postgres: at once when another instance announces a ban, and at an interval in any case.
 */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import type { Database } from '../../database/connect.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { RoomState } from '../state/room-state.ts';
import { findBanned } from './room-ban-repository.ts';

/** Watchers checked by one query. */
const batchSize = 5000;

export interface WatcherBans {
  /** Checks now. If a check is under way, another one follows it. */
  readonly look: () => void;
  readonly stop: () => void;
}

export function startWatcherBans({
  hub,
  db,
  logger,
  pollMs,
}: {
  hub: Pick<Hub<RoomState>, 'watching' | 'dismiss'>;
  db: Database;
  logger: Logger;
  pollMs: number;
}): WatcherBans {
  async function dismissBanned(): Promise<void> {
    const places = [...hub.watching()].map(({ connection, roomId }) => ({
      connection,
      roomId,
      userId: connection.user!.userId,
    }));
    for (let from = 0; from < places.length; from += batchSize) {
      const banned = await findBanned(db, places.slice(from, from + batchSize));
      for (const { connection, roomId } of banned) hub.dismiss(connection, roomId, 'banned');
    }
  }

  const poller = startPoller({
    work: dismissBanned,
    everyMs: pollMs,
    onError: (error) => logger.debug({ error }, 'bans of watchers could not be read; the next poll repeats it'),
  });
  return { look: poller.surely, stop: poller.stop };
}
