/**
 * What an event does to the readers of its room. The event that begins a membership is the first one its user gets, and
 * the event that ends it is the last.
 */
import type { Logger } from 'pino';
import { logLevelOf } from '../../database/database-errors.ts';
import type { Connection } from '../socket/connection.ts';
import { frameText } from '../socket/frame-codec.ts';
import type { FanOut } from './fan-out.ts';
import type { Feed, FeedState, ReaderChange } from './feed.ts';
import type { ReaderRegistry } from './reader-registry.ts';

/** Makes the frames that tell a connection about its user's memberships. */
export interface MembershipFrames {
  /** The JSON of `room.joined` for this user, or undefined when the room cannot be described now. */
  readonly joined: (roomId: string, userId: string) => Promise<string | undefined>;
  readonly left: (roomId: string, reason: string, lastSeq: number) => string;
}

export interface ReaderChanges<State extends FeedState> {
  /** @param pendingBefore how many of the feed's pending frames are older than the event of the change */
  readonly apply: (feed: Feed<State>, change: ReaderChange, at: { seq: number; pendingBefore: number }) => void;
  /** Ends a connection's reading and tells it why. */
  readonly leave: (feed: Feed<State>, connection: Connection, reason: string, lastSeq: number) => void;
  /** Sends `room.joined`, unless the user has left again before the frame was made. Never rejects. */
  readonly tellJoined: (feed: Feed<State>, connection: Connection) => Promise<void>;
}

export function createReaderChanges<State extends FeedState>({
  readers,
  fanOut,
  membership,
  isAttaching,
  logger,
}: {
  readers: ReaderRegistry<State>;
  fanOut: FanOut<State>;
  membership: MembershipFrames;
  isAttaching: (connection: Connection, roomId: string) => boolean;
  logger: Logger;
}): ReaderChanges<State> {
  function apply(
    feed: Feed<State>,
    change: ReaderChange,
    { seq, pendingBefore }: { seq: number; pendingBefore: number },
  ): void {
    if (change.joined !== undefined) join(feed, change.joined, pendingBefore);
    if (change.left || change.watchersLeave || change.closed) {
      fanOut.pushNow(feed);
      endReading(feed, change, seq);
    }
    if (change.closed) feed.closed = true;
  }

  function join(feed: Feed<State>, userId: string, pendingBefore: number): void {
    const connections = readers.ofUser(userId);
    if (connections.size === 0) return;
    // Earlier frames go to the earlier readers alone.
    const own = feed.pending.splice(pendingBefore);
    fanOut.pushNow(feed);
    feed.pending.push(...own);
    for (const connection of connections) joinLive(feed, connection);
  }

  function joinLive(feed: Feed<State>, connection: Connection): void {
    if (connection.earlyJoins) {
      connection.earlyJoins.push({ roomId: feed.roomId, seq: feed.position });
      return;
    }
    if (feed.readers.has(connection) || connection.state !== 'live' || isAttaching(connection, feed.roomId)) return;
    readers.addReader(feed, connection, 'member');
    void tellJoined(feed, connection);
  }

  function endReading(feed: Feed<State>, { left, watchersLeave, closed }: ReaderChange, lastSeq: number): void {
    if (closed) for (const connection of [...feed.readers]) leave(feed, connection, 'deleted', lastSeq);
    if (left) {
      for (const connection of readers.ofUser(left.userId)) {
        if (feed.readers.has(connection)) leave(feed, connection, left.reason, lastSeq);
      }
    }
    if (watchersLeave || closed) {
      for (const connection of [...feed.watchers]) leave(feed, connection, closed ? 'deleted' : 'left', lastSeq);
    }
  }

  async function tellJoined(feed: Feed<State>, connection: Connection): Promise<void> {
    const { userId } = connection.user!;
    const json = await membership.joined(feed.roomId, userId).catch((error: unknown) => {
      logger[logLevelOf(error)]({ error, roomId: feed.roomId }, 'room.joined could not be described');
      return undefined;
    });
    if (json !== undefined && feed.state.isMember(userId)) connection.push(frameText(json), 0);
  }

  function leave(feed: Feed<State>, connection: Connection, reason: string, lastSeq: number): void {
    connection.push(frameText(membership.left(feed.roomId, reason, lastSeq)), 0);
    readers.removeReader(feed, connection);
  }

  return { apply, leave, tellJoined };
}
