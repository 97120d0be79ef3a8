/** Loads feeds into the cache, each room once at a time. An event that arrives during a load is not lost: the feed catches up to it. */

import type { LogSource } from './feed.ts';
import { Feed, type FeedState } from './feed.ts';
import type { FeedCache } from './feed-cache.ts';

export interface FeedLoader<State extends FeedState> {
  /** The room's feed, loaded if it is not in memory; undefined if there is no such room. */
  readonly find: (roomId: string) => Promise<Feed<State> | undefined>;
  /** An event of a room that is not in memory arrived. If the room is being loaded, its feed catches up to this seq. */
  readonly noteSeen: (roomId: string, seq: number) => void;
  /** Resolves when no load is under way, whether the loads succeeded or not. */
  readonly settled: () => Promise<void>;
}

/** @param onBehind called for a loaded feed that is behind an event that arrived during its load */
export function createFeedLoader<State extends FeedState>({
  log,
  feeds,
  onBehind,
}: {
  log: Pick<LogSource<State>, 'load'>;
  feeds: Pick<FeedCache<State>, 'use' | 'add'>;
  onBehind: (feed: Feed<State>) => void;
}): FeedLoader<State> {
  /** Rooms being loaded; `seenSeq` is the newest event that arrived before the load ended. */
  const loading = new Map<string, { promise: Promise<Feed<State> | undefined>; seenSeq: number }>();

  async function find(roomId: string): Promise<Feed<State> | undefined> {
    const present = feeds.use(roomId) ?? loading.get(roomId)?.promise;
    if (present) return present;
    const entry = { promise: load(roomId), seenSeq: 0 };
    loading.set(roomId, entry);
    try {
      const feed = await entry.promise;
      if (feed && entry.seenSeq > feed.position) onBehind(feed);
      return feed;
    } finally {
      loading.delete(roomId);
    }
  }

  async function load(roomId: string): Promise<Feed<State> | undefined> {
    const loaded = await log.load(roomId);
    if (!loaded) return undefined;
    const feed = new Feed(roomId, loaded.position, loaded.state);
    feeds.add(feed);
    return feed;
  }

  return {
    find,
    noteSeen: (roomId, seq) => {
      const entry = loading.get(roomId);
      if (entry) entry.seenSeq = Math.max(entry.seenSeq, seq);
    },
    settled: async () => {
      await Promise.allSettled([...loading.values()].map(({ promise }) => promise));
    },
  };
}
