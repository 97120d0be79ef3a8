/**
 * Makes connections readers of rooms without a gap and without a repeat: first from the log, then from memory, then
 * live, stitched by seq. See docs/internals/feeds.md.
 *
 * A connection and a room are: apart → attaching (a replay is under way) → following (it is a reader) → apart.
 */
import { type Connection, isGone } from '../socket/connection.ts';
import type { FanOut } from './fan-out.ts';
import type { Feed, FeedState, LogSource } from './feed.ts';
import type { FeedCache } from './feed-cache.ts';
import { type FeedFrame, shownBytes } from './hidden-events.ts';
import type { LogFollower } from './log-follower.ts';
import { createPacedReplay, pushFitting } from './paced-replay.ts';
import type { ReaderKind, ReaderRegistry } from './reader-registry.ts';

export type AttachResult = 'live' | 'reset' | 'left' | 'closed';

/** What became of an attachment, and the seq up to which the connection has read. */
export interface Attached {
  readonly result: AttachResult;
  readonly seq: number;
}

export interface AttachRequest {
  readonly connection: Connection;
  readonly roomId: string;
  /** The last seq that the client has; anything but a position of the log gives `reset`. */
  readonly after: number;
  readonly as: ReaderKind;
  /** The room is known to have come this far: memory is read on to there first. */
  readonly atLeast: number;
}

export interface ReplayRequest extends Omit<AttachRequest, 'after'> {
  /**
   * `membership`: the event that began the present membership is the first one. It is found when the replay begins, because the
   * user may have left and joined again since the request was made.
   */
  readonly after: number | 'membership';
}

export interface Attachments {
  /** @returns `closed` when the connection is gone, `left` when the room is not readable, `reset` when `after` is too far behind or beyond the head */
  readonly attach: (request: AttachRequest) => Promise<Attached>;
  /** The same for a connection that the caller has marked as attaching. */
  readonly replay: (request: ReplayRequest) => Promise<Attached>;
  readonly isReading: (connection: Connection, roomId: string) => boolean;
  /** Whether the connection reads the room, or is about to. */
  readonly isFollowing: (connection: Connection, roomId: string) => boolean;
  /** How many rooms the connection is about to read. */
  readonly countOf: (connection: Connection) => number;
  /** The connection is gone: nothing is remembered of it. */
  readonly forget: (connection: Connection) => void;
}

export type AttachingRooms = ReturnType<typeof createAttachingRooms>;

/** The rooms that each connection is about to read. */
export function createAttachingRooms() {
  const attaching = new Map<Connection, Set<string>>();
  return {
    has: (connection: Connection, roomId: string) => attaching.get(connection)?.has(roomId) ?? false,
    countOf: (connection: Connection) => attaching.get(connection)?.size ?? 0,
    forget: (connection: Connection) => void attaching.delete(connection),
    /** @returns what ends it */
    begin: (connection: Connection, roomId: string): (() => void) => {
      const own = attaching.get(connection) ?? new Set<string>();
      attaching.set(connection, own);
      own.add(roomId);
      return () => own.delete(roomId);
    },
  };
}

export interface AttachmentSettings {
  readonly replayPageEvents: number;
  readonly resumeMaxEvents: number;
}

export function createAttachments<State extends FeedState>({
  attaching,
  log,
  feeds,
  follower,
  readers,
  fanOut,
  settings,
}: {
  attaching: AttachingRooms;
  log: Pick<LogSource<State>, 'read'>;
  feeds: FeedCache<State>;
  follower: LogFollower<State>;
  readers: ReaderRegistry<State>;
  fanOut: FanOut<State>;
  settings: AttachmentSettings;
}): Attachments {
  const replayTo = createRoomReplay({ log, follower, readers, fanOut, settings });

  async function attach(request: AttachRequest): Promise<Attached> {
    const { connection, roomId, after } = request;
    if (!readers.has(connection)) return { result: 'closed', seq: after };
    if (isFollowing(connection, roomId)) return { result: 'live', seq: feeds.get(roomId)?.position ?? after };
    const end = attaching.begin(connection, roomId);
    try {
      return await replay(request);
    } finally {
      end();
    }
  }

  async function replay(request: ReplayRequest): Promise<Attached> {
    const { connection, roomId, atLeast } = request;
    const feed = await follower.find(roomId);
    if (!feed) return { result: 'left', seq: 0 };
    feed.pins += 1;
    try {
      // Without readers nothing kept the feed up to date: it may not know of the very membership that is to be read.
      const wanted = request.after === 'membership' ? atLeast : Math.max(request.after, atLeast);
      if (feed.position < wanted) await follower.catchUp(feed, wanted);
      const after =
        request.after === 'membership' ? (feed.state.joinedSeq(connection.user!.userId) ?? 1) - 1 : request.after;
      return await replayTo(feed, { ...request, after });
    } finally {
      feed.pins -= 1;
    }
  }

  function isReading(connection: Connection, roomId: string): boolean {
    const feed = feeds.get(roomId);
    return feed !== undefined && (feed.readers.has(connection) || feed.watchers.has(connection));
  }

  function isFollowing(connection: Connection, roomId: string): boolean {
    return isReading(connection, roomId) || attaching.has(connection, roomId);
  }

  return {
    attach,
    replay,
    isReading,
    isFollowing,
    countOf: attaching.countOf,
    forget: attaching.forget,
  };
}

/** Sends a connection the events that it missed, from the log and then from memory, and makes it a reader of the room. */
function createRoomReplay<State extends FeedState>({
  log,
  follower,
  readers,
  fanOut,
  settings,
}: {
  log: Pick<LogSource<State>, 'read'>;
  follower: Pick<LogFollower<State>, 'catchUp'>;
  readers: Pick<ReaderRegistry<State>, 'addReader'>;
  fanOut: Pick<FanOut<State>, 'pushNow'>;
  settings: AttachmentSettings;
}): (feed: Feed<State>, request: AttachRequest) => Promise<Attached> {
  const replayPage = createPacedReplay({ log, pageEvents: settings.replayPageEvents });

  async function replayTo(feed: Feed<State>, { connection, roomId, after, as }: AttachRequest): Promise<Attached> {
    const { userId } = connection.user!;
    let position = after;
    let reset = !isReachable(feed, after, settings.resumeMaxEvents);
    for (;;) {
      if (isGone(connection)) return { result: 'closed', seq: position };
      const isMember = feed.state.isMember(userId);
      if (!mayRead(feed, isMember, as)) return { result: 'left', seq: position };
      const allowedUpTo = feed.position;
      const from = isMember ? feed.state.readableFrom(userId) : 1;
      // A position before the present membership belongs to an earlier one, whose missed events are not sent.
      if (position > 0 && position < from - 1) reset = true;
      position = reset ? feed.position : Math.max(position, from - 1);
      const frames = reset ? [] : feed.framesAfter(position);
      if (frames) {
        const pushed = pushFromMemory(feed, { connection, frames, from, kind: isMember ? 'member' : as });
        if (pushed === frames.length) return { result: reset ? 'reset' : 'live', seq: feed.position };
        position += pushed;
        await connection.drained();
        continue;
      }
      const { pushed, seen } = await replayPage(connection, { roomId, after: position, upTo: allowedUpTo, from });
      position += pushed;
      if (pushed > 0) continue;
      if (seen > 0) await follower.catchUp(feed, seen);
      else reset = true;
    }
  }

  /**
   * The last step of a replay. Synchronous on purpose: an event that arrived between taking the frames and adding the
   * reader would be lost to this connection.
   * @returns how many frames were pushed; the connection is a reader only when that is all of them
   */
  function pushFromMemory(
    feed: Feed<State>,
    {
      connection,
      frames,
      from,
      kind,
    }: { connection: Connection; frames: readonly FeedFrame[]; from: number; kind: ReaderKind },
  ): number {
    // Pending frames go to the earlier readers; they are in `frames` already.
    fanOut.pushNow(feed);
    const shown = frames.map((frame) => shownBytes(frame, from));
    const pushed = pushFitting(connection, shown);
    if (pushed === frames.length) readers.addReader(feed, connection, kind);
    return pushed;
  }

  return replayTo;
}

/** Whether a replay may begin after this seq: it is a position of the log, and not too far behind. */
function isReachable(feed: Feed, after: number, resumeMaxEvents: number): boolean {
  return (
    Number.isSafeInteger(after) && after >= 0 && after <= feed.position && feed.position - after <= resumeMaxEvents
  );
}

function mayRead(feed: Feed, isMember: boolean, as: ReaderKind): boolean {
  return !feed.closed && (isMember || (as === 'watcher' && feed.state.isPublic()));
}
