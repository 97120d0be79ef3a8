/**
 * Gives a room's new frames to its readers: joined once per tick, pushed to every connection. A very large room is
 * served in slices, so that small rooms do not wait for it.
 *
 * A feed is: clean (nothing to deliver) → dirty (delivery is scheduled for this tick) → slicing (some readers have this
 * tick's frames, others get them in later ticks) → clean.
 */
import type { Counter } from 'prom-client';
import type { Connection } from '../socket/connection.ts';
import type { FlushScheduler, TickWork } from '../socket/flush-scheduler.ts';
import type { Feed, FeedState } from './feed.ts';
import { type FeedFrame, shownBytes } from './hidden-events.ts';

interface Batch {
  readonly bytes: Buffer;
  readonly events: number;
  /** The frames, if some of them are not shown to every reader in full. */
  readonly partlyHidden: readonly FeedFrame[] | undefined;
}

export interface FanOut<State extends FeedState> {
  /** Delivers the feed's pending frames at the end of this tick. */
  readonly schedule: (feed: Feed<State>) => void;
  /** Delivers them now, to all readers: used right before the readers change. */
  readonly pushNow: (feed: Feed<State>) => void;
}

/** @param sliceReaders how many readers of one room are served in one tick */
export function createFanOut<State extends FeedState>({
  flushScheduler,
  delivered,
  sliceReaders,
}: {
  flushScheduler: FlushScheduler;
  delivered: Counter;
  sliceReaders: number;
}): FanOut<State> {
  const dirty = new Set<Feed<State>>();
  /** Feeds in the middle of a sliced delivery, and how to finish it at once. */
  const slicing = new Map<Feed<State>, () => void>();

  function schedule(feed: Feed<State>): void {
    if (dirty.has(feed)) return;
    dirty.add(feed);
    flushScheduler.beforeWrite(() => deliver(feed), feed.pendingSinceMs);
  }

  function pushNow(feed: Feed<State>): void {
    slicing.get(feed)?.();
    const batch = takePending(feed);
    if (!batch) return;
    for (const reader of feed.readers) reader.push(bytesFor(feed, batch, reader), batch.events);
    for (const watcher of feed.watchers) watcher.push(bytesFor(feed, batch, watcher), batch.events);
  }

  function takePending(feed: Feed<State>): Batch | undefined {
    const frames = feed.pending;
    const events = frames.length;
    if (events === 0) return undefined;
    const bytes = joined(frames.map((frame) => frame.bytes));
    feed.pending = [];
    delivered.inc(events * feed.readerCount);
    return { bytes, events, partlyHidden: frames.some(({ hidden }) => hidden) ? frames : undefined };
  }

  function deliver(feed: Feed<State>): TickWork | undefined {
    if (feed.readerCount <= sliceReaders) {
      dirty.delete(feed);
      pushNow(feed);
      return undefined;
    }
    const batch = takePending(feed);
    if (!batch) {
      dirty.delete(feed);
      return undefined;
    }
    return deliverInSlices(feed, batch, [...feed.readers, ...feed.watchers]);
  }

  function deliverInSlices(feed: Feed<State>, batch: Batch, readers: readonly Connection[]): TickWork | undefined {
    let next = 0;
    const pushUpTo = (end: number) => {
      for (; next < end; next++) readers[next]!.push(bytesFor(feed, batch, readers[next]!), batch.events);
    };
    const slice = (): TickWork | undefined => {
      pushUpTo(Math.min(next + sliceReaders, readers.length));
      if (next < readers.length) return slice;
      slicing.delete(feed);
      // Frames that arrived during the slices follow only now, so that every connection sees the order of the log.
      if (feed.pending.length > 0) flushScheduler.beforeWrite(() => deliver(feed), feed.pendingSinceMs);
      else dirty.delete(feed);
      return undefined;
    };
    slicing.set(feed, () => pushUpTo(readers.length));
    return slice();
  }

  return { schedule, pushNow };
}

/** The batch as this reader may see it. */
function bytesFor(feed: Feed, { bytes, partlyHidden }: Batch, reader: Connection): Buffer {
  if (!partlyHidden) return bytes;
  const from = feed.shownFrom(reader);
  const hidesSome = partlyHidden.some(({ hidden }) => hidden && hidden.messageSeq < from);
  return hidesSome ? joined(partlyHidden.map((frame) => shownBytes(frame, from))) : bytes;
}

function joined(frames: readonly Buffer[]): Buffer {
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames);
}
