/** Who is connected to this process, and which rooms each connection reads. */
import type { Gauge } from 'prom-client';
import type { Hints } from '../cluster/hints.ts';
import type { Connection } from '../socket/connection.ts';
import type { Feed, FeedState } from './feed.ts';

/** A member reads until the membership ends; a watcher reads a public room without being a member. */
export type ReaderKind = 'member' | 'watcher';

export interface ReaderRegistry<State extends FeedState> {
  /** @param connection a welcomed connection: its user is known */
  readonly add: (connection: Connection) => void;
  readonly remove: (connection: Connection) => void;
  readonly has: (connection: Connection) => boolean;
  readonly ofUser: (userId: string) => ReadonlySet<Connection>;
  readonly all: () => Iterable<Connection>;
  /** Whether the connection reads, as a member, a room that the other user is a member of too. */
  readonly isBeside: (connection: Connection, userId: string) => boolean;
  /** How many rooms the connection reads. */
  readonly roomCount: (connection: Connection) => number;
  readonly addReader: (feed: Feed<State>, connection: Connection, kind: ReaderKind) => void;
  readonly removeReader: (feed: Feed<State>, connection: Connection) => void;
}

const nobody: ReadonlySet<Connection> = new Set();

/** @param hints follows the rooms and users that have local readers, so that only their hints arrive here */
export function createReaderRegistry<State extends FeedState>({
  hints,
  connections,
}: {
  hints: Pick<Hints, 'followRoom' | 'unfollowRoom' | 'followUser' | 'unfollowUser'>;
  connections: Gauge;
}): ReaderRegistry<State> {
  const byUser = new Map<string, Set<Connection>>();
  const reading = new Map<Connection, Set<Feed<State>>>();

  function add(connection: Connection): void {
    const { userId } = connection.user!;
    const own = byUser.get(userId);
    if (own) own.add(connection);
    else {
      byUser.set(userId, new Set([connection]));
      hints.followUser(userId);
    }
    reading.set(connection, new Set());
    connections.set(reading.size);
  }

  function remove(connection: Connection): void {
    const own = connection.user && byUser.get(connection.user.userId);
    if (own?.delete(connection) && own.size === 0) {
      byUser.delete(connection.user!.userId);
      hints.unfollowUser(connection.user!.userId);
    }
    for (const feed of reading.get(connection) ?? []) removeReader(feed, connection);
    reading.delete(connection);
    connections.set(reading.size);
  }

  function addReader(feed: Feed<State>, connection: Connection, kind: ReaderKind): void {
    if (feed.readerCount === 0) hints.followRoom(feed.roomId);
    if (kind === 'member') {
      feed.readers.add(connection);
      feed.watchers.delete(connection);
    } else feed.addWatcher(connection);
    reading.get(connection)?.add(feed);
  }

  function removeReader(feed: Feed<State>, connection: Connection): void {
    const before = feed.readerCount;
    feed.readers.delete(connection);
    feed.watchers.delete(connection);
    reading.get(connection)?.delete(feed);
    if (before > 0 && feed.readerCount === 0) hints.unfollowRoom(feed.roomId);
  }

  return {
    add,
    remove,
    has: (connection) => reading.has(connection),
    ofUser: (userId) => byUser.get(userId) ?? nobody,
    all: () => reading.keys(),
    isBeside: (connection, userId) => {
      for (const { readers, state } of reading.get(connection) ?? [])
        if (readers.has(connection) && state.isMember(userId)) return true;
      return false;
    },
    roomCount: (connection) => reading.get(connection)?.size ?? 0,
    addReader,
    removeReader,
  };
}
