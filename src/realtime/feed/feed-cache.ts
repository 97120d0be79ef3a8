/**
 * The feeds in memory, within three bounds: rooms, members, and bytes of recent frames. Feeds without local readers are dropped, least
 * recently used first. Feeds with readers stay, but lose their recent frames when those are too large; resumes then read the log.
 *
 * Eviction runs in a tick of its own. By then every caller that waited for a feed has added a reader or a pin to it. In the same tick
 * a feed could be dropped while somebody begins to read it, and that reader would get no events.
 */
import type { Gauge } from 'prom-client';
import type { Feed, FeedEvent, FeedState, ReaderChange, RecentBounds } from './feed.ts';

export interface FeedCacheSettings extends RecentBounds {
  /** Rooms in memory; those with local readers count, and stay whatever their number. */
  readonly roomsCached: number;
  /** Members of those rooms. */
  readonly membersCached: number;
  /** Bytes of the recent frames of all rooms, including those with readers. */
  readonly recentBytesTotal: number;
}

export interface FeedCache<State extends FeedState> {
  readonly get: (roomId: string) => Feed<State> | undefined;
  /** The same, and counts as use for eviction. */
  readonly use: (roomId: string) => Feed<State> | undefined;
  readonly add: (feed: Feed<State>) => void;
  readonly forget: (feed: Feed<State>) => void;
  readonly values: () => Iterable<Feed<State>>;
  /** Gives a feed its next event. */
  readonly take: (feed: Feed<State>, event: FeedEvent) => ReaderChange | undefined;
  /** Sets a feed to what another log says of its room. */
  readonly replace: (feed: Feed<State>, position: number, state: State) => void;
  readonly forgetRecent: () => void;
}

/** Recent frames are dropped down to this share of their bound, so that eviction does not run with every event. */
const recentKept = 0.9;

export function createFeedCache<State extends FeedState>({
  settings,
  isBusy,
  rooms,
}: {
  settings: FeedCacheSettings;
  /** Work on the feed is under way that would be lost with it. */
  isBusy: (feed: Feed<State>) => boolean;
  rooms: Gauge;
}): FeedCache<State> {
  const feeds = new Map<string, Feed<State>>();
  let weight = 0;
  let recentBytes = 0;
  let planned = false;

  /** A feed that was dropped may still take events, which count nowhere. */
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
      const [bytesBefore, weightBefore] = [feed.recentBytes, feed.state.weight()];
      feed.replace(position, state);
      weight += state.weight() - weightBefore;
      recentBytes -= bytesBefore;
    },
    forgetRecent: () => {
      for (const feed of feeds.values()) feed.forgetRecent();
      recentBytes = 0;
    },
  };
}
