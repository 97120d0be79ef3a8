/**
 * The rooms that this process holds in memory, within its bounds. Rooms without local readers are forgotten, those unused longest
 * first; rooms with readers stay, but what is remembered of their newest events goes when that is too much: resumes read it from the log.
 *
 * Forgetting has a turn of the event loop to itself: whoever waited for a room has taken hold of it by then, by a reader or a pin. In
 * the same turn it would take rooms from under those who begin to read them, and nobody would tell these what is said there.
 */
import type { Gauge } from 'prom-client';
import type { Feed, FeedEvent, FeedState, ReaderChange, RecentBounds } from './feed.ts';

export interface FeedCacheSettings extends RecentBounds {
  /** Rooms in memory; those with local readers count, and stay whatever their number. */
  readonly roomsCached: number;
  /** Members of those rooms. */
  readonly membersCached: number;
  /** Bytes of the newest events of all rooms, those with readers too. */
  readonly recentBytesTotal: number;
}

export interface FeedCache<State extends FeedState> {
  readonly get: (roomId: string) => Feed<State> | undefined;
  /** The same; it counts as use. */
  readonly use: (roomId: string) => Feed<State> | undefined;
  readonly add: (feed: Feed<State>) => void;
  readonly forget: (feed: Feed<State>) => void;
  readonly values: () => Iterable<Feed<State>>;
  /** Has a room take its next event. */
  readonly take: (feed: Feed<State>, event: FeedEvent) => ReaderChange | undefined;
  /** Has a room begin anew, as another log has it. */
  readonly replace: (feed: Feed<State>, position: number, state: State) => void;
  readonly forgetRecent: () => void;
}

/** Beyond their bound the newest events are forgotten down to this share of it, so that each room is looked at seldom. */
const recentKept = 0.9;

export function createFeedCache<State extends FeedState>({
  settings,
  isBusy,
  rooms,
}: {
  settings: FeedCacheSettings;
  /** Something is done with the room that would be lost with it. */
  isBusy: (feed: Feed<State>) => boolean;
  rooms: Gauge;
}): FeedCache<State> {
  const feeds = new Map<string, Feed<State>>();
  let weight = 0;
  let recentBytes = 0;
  let planned = false;

  /** Of a room that was forgotten meanwhile nothing is counted. */
  function isHeld(feed: Feed<State>): boolean {
    return feeds.get(feed.roomId) === feed;
  }

  function forget(feed: Feed<State>): void {
    feeds.delete(feed.roomId);
    weight -= feed.state.weight();
    recentBytes -= feed.recentBytes;
    rooms.set(feeds.size);
  }

  function isWithinBounds(): boolean {
    const { roomsCached, membersCached, recentBytesTotal } = settings;
    return feeds.size <= roomsCached && weight <= membersCached && recentBytes <= recentBytesTotal;
  }

  function evict(): void {
    for (const feed of feeds.values()) {
      if (isWithinBounds()) return;
      if (feed.readerCount === 0 && feed.pins === 0 && !isBusy(feed)) forget(feed);
    }
    if (recentBytes <= settings.recentBytesTotal) return;
    for (const feed of feeds.values()) {
      recentBytes -= feed.recentBytes;
      feed.forgetRecent();
      if (recentBytes <= settings.recentBytesTotal * recentKept) return;
    }
  }

  function planEviction(): void {
    if (planned || isWithinBounds()) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      evict();
    });
  }

  return {
    get: (roomId) => feeds.get(roomId),
    use: (roomId) => {
      const present = feeds.get(roomId);
      // Re-inserted: the map's order is the order of use, for eviction.
      if (present && feeds.delete(roomId)) feeds.set(roomId, present);
      return present;
    },
    add: (feed) => {
      feeds.set(feed.roomId, feed);
      weight += feed.state.weight();
      recentBytes += feed.recentBytes;
      rooms.set(feeds.size);
      planEviction();
    },
    forget,
    values: () => feeds.values(),
    take: (feed, event) => {
      const [bytesBefore, weightBefore] = [feed.recentBytes, feed.state.weight()];
      const change = feed.take(event, settings);
      if (!isHeld(feed)) return change;
      recentBytes += feed.recentBytes - bytesBefore;
      weight += feed.state.weight() - weightBefore;
      if (recentBytes > settings.recentBytesTotal) planEviction();
      return change;
    },
    replace: (feed, position, state) => {
      weight += state.weight() - feed.state.weight();
      recentBytes -= feed.recentBytes;
      feed.replace(position, state);
    },
    forgetRecent: () => {
      for (const feed of feeds.values()) feed.forgetRecent();
      recentBytes = 0;
    },
  };
}
