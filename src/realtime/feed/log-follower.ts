/**
 * Keeps feeds at the head of the log. A feed takes an event only if its seq is exactly `position + 1`. An event that
 * leaves a gap is not delivered; the log is read from the feed's position instead (`catchUp`).
 *
 * Three things notice a gap: the seq of the next event, the periodic head check, and the return of the Redis link.
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { logLevelOf } from '../../database/database-errors.ts';
import type { FanOut } from './fan-out.ts';
import type { Feed, FeedEvent, FeedState, LogSource } from './feed.ts';
import type { FeedCache } from './feed-cache.ts';
import { createFeedLoader } from './feed-loader.ts';
import type { ReaderChanges } from './reader-changes.ts';

export interface LogFollower<State extends FeedState> {
  /** The room's feed, loaded if it is not in memory; undefined if there is no such room. */
  readonly find: (roomId: string) => Promise<Feed<State> | undefined>;
  /** Takes committed events of this or another instance. A gap starts a catch-up. */
  readonly take: (roomId: string, events: readonly FeedEvent[]) => void;
  /** Reads the log up to its head. @param atLeast a seq that the log is known to hold: it is read until it shows that one */
  readonly catchUp: (feed: Feed<State>, atLeast?: number) => Promise<void>;
  readonly isCatchingUp: (feed: Feed<State>) => boolean;
  /** Compares the feeds that have readers with the heads of their rooms, and catches up where one is behind. */
  readonly checkHeads: () => Promise<void>;
  /** Resolves when no load and no catch-up is under way, whether they succeeded or not. */
  readonly settled: () => Promise<void>;
}

export function createLogFollower<State extends FeedState>({
  log,
  feeds,
  changes,
  fanOut,
  onMissing,
  backfills,
  logger,
  pageEvents,
}: {
  log: LogSource<State>;
  feeds: FeedCache<State>;
  changes: ReaderChanges<State>;
  fanOut: FanOut<State>;
  /** The feed is at `seq`, and the log in Postgres ends before it. */
  onMissing: (roomId: string, seq: number) => void;
  backfills: Counter;
  logger: Logger;
  /** How many events one read of the log returns at most. */
  pageEvents: number;
}): LogFollower<State> {
  const loader = createFeedLoader<State>({ log, feeds, onBehind: readOn });
  const catchingUp = new Map<Feed<State>, Promise<void>>();

  function take(roomId: string, events: readonly FeedEvent[]): void {
    const feed = feeds.get(roomId);
    if (!feed) {
      loader.noteSeen(roomId, events.at(-1)?.seq ?? 0);
      return;
    }
    for (const event of events) {
      if (event.seq <= feed.position) continue;
      if (event.seq !== feed.position + 1) {
        readOn(feed);
        return;
      }
      takeNext(feed, event);
    }
  }

  function takeNext(feed: Feed<State>, event: FeedEvent): void {
    const pendingBefore = feed.pending.length;
    const change = feeds.take(feed, event);
    if (change) changes.apply(feed, change, { seq: event.seq, pendingBefore });
    if (feed.readerCount === 0) feed.pending = [];
    else fanOut.schedule(feed);
  }

  async function catchUp(feed: Feed<State>, atLeast = 0): Promise<void> {
    // A catch-up that is under way may have read before the wanted event was committed: then another follows it.
    for (let wasFresh = false; !wasFresh; ) {
      const running = catchingUp.get(feed);
      wasFresh = running === undefined;
      await (running ?? startCatchUp(feed));
      if (feed.position >= atLeast) return;
    }
  }

  /** Starts a catch-up that nothing waits for. A failure is logged, and the head check tries again. */
  function readOn(feed: Feed<State>): void {
    if (catchingUp.has(feed)) return;
    startCatchUp(feed).catch((error: unknown) =>
      logger[logLevelOf(error)]({ error, roomId: feed.roomId }, 'catch-up failed; the head check repeats it'),
    );
  }

  function startCatchUp(feed: Feed<State>): Promise<void> {
    const promise = readToHead(feed).finally(() => catchingUp.delete(feed));
    catchingUp.set(feed, promise);
    return promise;
  }

  async function readToHead(feed: Feed<State>): Promise<void> {
    backfills.inc();
    for (;;) {
      const events = await log.read(feed.roomId, feed.position, pageEvents);
      const before = feed.position;
      for (const event of events) if (event.seq === feed.position + 1) takeNext(feed, event);
      if (events.length < pageEvents || feed.position === before) return;
    }
  }

  async function checkHeads(): Promise<void> {
    const followed = [...feeds.values()].filter((feed) => feed.readerCount > 0 && !feed.closed);
    if (followed.length === 0) return;
    const known = new Map(followed.map((feed) => [feed, feed.position]));
    const heads = await log.heads(followed.map((feed) => feed.roomId));
    for (const [feed, position] of known) {
      const head = heads.get(feed.roomId) ?? 0;
      if (head > feed.position) readOn(feed);
      else if (head < position) onMissing(feed.roomId, position);
    }
  }

  return {
    find: loader.find,
    take,
    catchUp,
    isCatchingUp: (feed) => catchingUp.has(feed),
    checkHeads,
    settled: async () => {
      await Promise.allSettled([...catchingUp.values(), loader.settled()]);
    },
  };
}
