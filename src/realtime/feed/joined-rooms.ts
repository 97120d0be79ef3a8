/** Follows rooms on the live connections of users who become members of them. */
import type { Logger } from 'pino';
import { logLevelOf } from '../../database/database-errors.ts';
import type { JoinHint } from '../cluster/hints.ts';
import { type Connection, isGone } from '../socket/connection.ts';
import { frameText } from '../socket/frame-codec.ts';
import type { AttachingRooms, Attachments } from './attachments.ts';
import type { FeedState } from './feed.ts';
import type { LogFollower } from './log-follower.ts';
import type { ReaderChanges } from './reader-changes.ts';
import type { ReaderRegistry } from './reader-registry.ts';

export interface JoinedRooms {
  /** A membership began: follows the room on the user's live connections. */
  readonly onJoin: (hint: JoinHint) => void;
  /** Follows the rooms that the connection's user joined while its welcome was being made. */
  readonly followEarlyJoins: (connection: Connection) => void;
  readonly stop: () => void;
}

/** @param retryMs a joined room that could not be followed is tried again after this time */
export function createJoinedRooms<State extends FeedState>({
  attaching,
  attachments,
  follower,
  readers,
  changes,
  leftFrame,
  logger,
  retryMs,
}: {
  attaching: AttachingRooms;
  attachments: Attachments;
  follower: LogFollower<State>;
  readers: ReaderRegistry<State>;
  changes: ReaderChanges<State>;
  leftFrame: (roomId: string, reason: string, lastSeq: number) => string;
  logger: Logger;
  retryMs: number;
}): JoinedRooms {
  let stopped = false;

  function onJoin({ userId, roomId, seq }: JoinHint): void {
    for (const connection of readers.ofUser(userId)) {
      if (connection.earlyJoins) connection.earlyJoins.push({ roomId, seq });
      else if (connection.state === 'live' && !attachments.isFollowing(connection, roomId))
        void follow(connection, { userId, roomId, seq });
    }
  }

  /** Never rejects: a failure is logged, and tried again. */
  async function follow(connection: Connection, hint: JoinHint): Promise<void> {
    const { roomId, seq } = hint;
    const end = attaching.begin(connection, roomId);
    try {
      const feed = await follower.find(roomId);
      if (!feed) return;
      // Without readers nothing kept the feed current, and the news of a join may be old: the user may have left since.
      if (feed.readerCount === 0 || feed.position < seq) await follower.catchUp(feed, seq);
      if (!feed.state.isMember(connection.user!.userId)) return;
      await changes.tellJoined(feed, connection);
      // Not after the hint's seq: the hint may be of an earlier membership, whose events the client has already.
      const request = { connection, roomId, after: 'membership', as: 'member', atLeast: seq } as const;
      const { result, seq: reached } = await attachments.replay(request);
      if (result === 'left') connection.push(frameText(leftFrame(roomId, 'left', reached)), 0);
      if (result === 'reset') connection.send({ type: 'room.reset', roomId, seq: reached });
    } catch (error) {
      logger[logLevelOf(error)]({ error, roomId }, 'a joined room could not be followed and is tried again');
      if (!stopped && !isGone(connection)) setTimeout(() => onJoin(hint), retryMs).unref();
    } finally {
      end();
    }
  }

  function followEarlyJoins(connection: Connection): void {
    // A join may have been told in several ways; the last one of a room is its present membership.
    const joins = new Map((connection.earlyJoins ?? []).map(({ roomId, seq }) => [roomId, seq]));
    connection.earlyJoins = undefined;
    for (const [roomId, seq] of joins) onJoin({ userId: connection.user!.userId, roomId, seq });
  }

  return {
    onJoin,
    followEarlyJoins,
    stop: () => {
      stopped = true;
    },
  };
}
