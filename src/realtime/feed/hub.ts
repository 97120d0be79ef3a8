/**
 * All connections of this process and the rooms they read. The hub moves log events to sockets without opening them:
 * the room's `FeedState` says what an event means for the room's readers.
 *
 * Promise: every reader gets each room's events in seq order, each once, without a gap. The parts, each with a state
 * of its own:
 *
 * - `reader-registry.ts`: who is connected, and who reads what
 * - `log-follower.ts`: keeps feeds at the head of the log
 * - `reader-changes.ts`: what an event does to the readers of its room
 * - `fan-out.ts`: gives frames to readers, once per tick
 * - `attachments.ts`: makes a connection a reader, from its last seq on
 * - `joined-rooms.ts`: does that for users who become members while they are connected
 */
import type { Logger } from 'pino';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { startPoller } from '../../concurrency/poller.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import type { EventHint, Hints, JoinHint, RoomSignal } from '../cluster/hints.ts';
import { type Connection, closeCodes } from '../socket/connection.ts';
import { createFlushScheduler, type FlushScheduler } from '../socket/flush-scheduler.ts';
import { frameText } from '../socket/frame-codec.ts';
import { type Attached, createAttachingRooms, createAttachments } from './attachments.ts';
import { createFanOut } from './fan-out.ts';
import type { Feed, FeedEvent, FeedState, LogSource } from './feed.ts';
import { createFeedCache, type FeedCache, type FeedCacheSettings } from './feed-cache.ts';
import { signalledMessageSeq } from './hidden-events.ts';
import { createJoinedRooms } from './joined-rooms.ts';
import { createLogFollower, type LogFollower } from './log-follower.ts';
import { createReaderChanges, type MembershipFrames } from './reader-changes.ts';
import { createReaderRegistry, type ReaderRegistry } from './reader-registry.ts';

export interface HubSettings extends FeedCacheSettings {
  readonly headCheck: number;
  readonly deliverySlice: number;
  readonly replayPageEvents: number;
  readonly resumeMaxEvents: number;
}

export interface HubMetrics {
  readonly delivered: Counter;
  readonly deliverySeconds: Histogram;
  readonly backfills: Counter;
  readonly feeds: Gauge;
  readonly connections: Gauge;
}

export interface ConnectionListener {
  readonly onOpened: (connection: Connection) => void;
  readonly onClosed: (connection: Connection) => void;
}

export interface Hub<State extends FeedState> {
  readonly flushScheduler: FlushScheduler;
  readonly addConnection: (connection: Connection) => void;
  readonly removeConnection: (connection: Connection) => void;
  readonly connectionsOf: (userId: string) => readonly Connection[];
  readonly connections: () => Iterable<Connection>;
  /** Calls the listener for each connection whose user is proved, and when it has closed. */
  readonly onConnections: (listener: ConnectionListener) => void;
  /** Whether the connection reads, as a member, a room that the other user is a member of too. False where that is not known here. */
  readonly isBeside: (connection: Connection, userId: string) => boolean;
  /** The room's feed, loaded if it is not in memory; undefined if there is no such room. */
  readonly feed: (roomId: string) => Promise<Feed<State> | undefined>;
  /** The same if it is in memory. Counts as use for eviction. */
  readonly loadedFeed: (roomId: string) => Feed<State> | undefined;
  /** Takes committed events of this or another instance. A gap starts a catch-up. */
  readonly take: (roomId: string, events: readonly FeedEvent[]) => void;
  /** Reads the log up to its head. @param atLeast a seq that the log is known to hold: it is read until it shows that one */
  readonly catchUp: (feed: Feed<State>, atLeast?: number) => Promise<void>;
  /**
   * Makes a connection a reader of a room from the event after `after` on, without a gap or a repeat.
   * `reset`: `after` is too far behind or beyond the head; it reads from the head on. `left`: no longer a member.
   * @param atLeast a seq that the room is known to have reached: the feed catches up to it first
   */
  readonly attach: (
    connection: Connection,
    roomId: string,
    after: number,
    as: 'member' | 'watcher',
    atLeast?: number,
  ) => Promise<Attached>;
  readonly detach: (connection: Connection, roomId: string) => void;
  readonly isReading: (connection: Connection, roomId: string) => boolean;
  /** Connections that read rooms without being members. */
  readonly watching: () => Iterable<{ readonly connection: Connection; readonly roomId: string }>;
  /** Ends a connection's watching of a room and sends it the reason, after the events up to now. */
  readonly dismiss: (connection: Connection, roomId: string, reason: string) => void;
  /** How many rooms the connection reads, or is about to read. */
  readonly readingCount: (connection: Connection) => number;
  /** Whether the connection reads the room, or is about to read it. */
  readonly isFollowing: (connection: Connection, roomId: string) => boolean;
  /** Follows the rooms that were joined since the snapshot of the welcome. Called when the rooms of the welcome are being followed. */
  readonly followEarlyJoins: (connection: Connection) => void;
  /** A membership began somewhere: attaches the user's connections here. */
  readonly onJoin: (hint: JoinHint) => void;
  /** The same, and tells the other instances. */
  readonly announceJoin: (hint: JoinHint) => void;
  /**
   * Sends a frame without a seq to the readers of a room who may read the message that it is about, except to these users. On every
   * instance it reaches nobody whose reading has ended as far as this one knows: call it after the room was followed, and no former
   * reader gets it.
   */
  readonly signalRoom: (roomId: string, json: string, exceptUserIds: readonly string[]) => void;
  readonly signalUser: (userId: string, json: string) => void;
  readonly announce: (hints: readonly EventHint[]) => void;
  /** The log was replaced by another one: closes all connections, and drops or reloads every feed. */
  readonly startOver: () => Promise<void>;
  /** Recent frames hold outdated data about a user, so they are read from the log again. */
  readonly forgetRecent: () => void;
  readonly stop: () => void;
}

export interface HubOptions<State extends FeedState> {
  readonly log: LogSource<State>;
  readonly hints: Hints;
  /** A session ended on some instance: revocations are to be read now. */
  readonly onRevocationHint: () => void;
  /** The feed is at `seq`, and the log in Postgres ends before it. */
  readonly onMissing: (roomId: string, seq: number) => void;
  readonly membership: MembershipFrames;
  readonly metrics: HubMetrics;
  readonly logger: Logger;
  readonly settings: HubSettings;
}

export function createHub<State extends FeedState>(options: HubOptions<State>): Hub<State> {
  const { log, hints, membership, metrics, logger, settings } = options;
  const flushScheduler = createFlushScheduler((seconds) => metrics.deliverySeconds.observe(seconds));
  const attaching = createAttachingRooms();
  const readers = createReaderRegistry<State>({ hints, connections: metrics.connections });
  const fanOut = createFanOut<State>({
    flushScheduler,
    delivered: metrics.delivered,
    sliceReaders: settings.deliverySlice,
  });
  const feeds: FeedCache<State> = createFeedCache<State>({
    settings,
    isBusy: (feed): boolean => follower.isCatchingUp(feed),
    rooms: metrics.feeds,
  });
  const changes = createReaderChanges<State>({ readers, fanOut, membership, isAttaching: attaching.has, logger });
  const follower: LogFollower<State> = createLogFollower<State>({
    ...{ log, feeds, changes, fanOut, logger },
    onMissing: options.onMissing,
    backfills: metrics.backfills,
    pageEvents: settings.replayPageEvents,
  });
  const attachments = createAttachments<State>({ attaching, log, feeds, follower, readers, fanOut, settings });
  const joinedRooms = createJoinedRooms<State>({
    ...{ attaching, attachments, follower, readers, changes, logger },
    leftFrame: membership.left,
    retryMs: settings.headCheck,
  });
  const signals = createSignals({ feeds, readers, follower, logger });
  const connectionListeners: ConnectionListener[] = [];
  const headCheck = startPoller({
    work: follower.checkHeads,
    everyMs: settings.headCheck,
    onError: (error) => logger.debug({ error }, 'head check failed'),
  });

  hints.listen({
    onEvents: ({ roomId, firstSeq, events }) =>
      follower.take(
        roomId,
        events.map((json, index) => ({ seq: firstSeq + index, json })),
      ),
    onJoin: joinedRooms.onJoin,
    onRoomSignal: signals.roomElsewhere,
    onUserSignal: signals.user,
    onRevocation: options.onRevocationHint,
    onLinkRestored: headCheck.ifIdle,
    onSubscribed: headCheck.surely,
  });

  return {
    flushScheduler,
    addConnection: (connection) => {
      readers.add(connection);
      for (const { onOpened } of connectionListeners) onOpened(connection);
    },
    removeConnection: (connection) => {
      for (const { onClosed } of connectionListeners) onClosed(connection);
      readers.remove(connection);
      attachments.forget(connection);
    },
    connectionsOf: (userId) => [...readers.ofUser(userId)],
    connections: readers.all,
    onConnections: (listener) => void connectionListeners.push(listener),
    isBeside: readers.isBeside,
    feed: follower.find,
    loadedFeed: feeds.use,
    take: follower.take,
    catchUp: follower.catchUp,
    attach: (connection, roomId, after, as, atLeast = after) =>
      attachments.attach({ connection, roomId, after, as, atLeast }),
    detach: (connection, roomId) => {
      const feed = feeds.get(roomId);
      if (feed) readers.removeReader(feed, connection);
    },
    isReading: attachments.isReading,
    watching: () => watchers(feeds),
    dismiss: (connection, roomId, reason) => {
      const feed = feeds.get(roomId);
      if (!feed?.watchers.has(connection)) return;
      fanOut.pushNow(feed);
      changes.leave(feed, connection, reason, feed.position);
    },
    readingCount: (connection) => readers.roomCount(connection) + attachments.countOf(connection),
    isFollowing: attachments.isFollowing,
    followEarlyJoins: joinedRooms.followEarlyJoins,
    onJoin: joinedRooms.onJoin,
    announceJoin: (hint) => {
      joinedRooms.onJoin(hint);
      hints.announceJoin(hint);
    },
    signalRoom: (roomId, json, exceptUserIds) => {
      // The caller has followed the room. If its feed was dropped since, so is the signal.
      const feed = feeds.get(roomId);
      if (!feed) return;
      signals.room(feed, json, exceptUserIds);
      hints.signalRoom({ roomId, json, exceptUserIds, afterSeq: feed.readingEndedSeq });
    },
    signalUser: (userId, json) => {
      signals.user(userId, json);
      hints.signalUser(userId, json);
    },
    announce: hints.announceEvents,
    startOver: () => startOver({ log, feeds, follower, readers }),
    forgetRecent: feeds.forgetRecent,
    stop: () => {
      joinedRooms.stop();
      headCheck.stop();
    },
  };
}

/** Gives frames without a seq to local connections. They are dropped first when a reader is behind. */
function createSignals<State extends FeedState>({
  feeds,
  readers,
  follower,
  logger,
}: {
  feeds: FeedCache<State>;
  readers: ReaderRegistry<State>;
  follower: LogFollower<State>;
  logger: Logger;
}) {
  function room(feed: Feed<State>, json: string, exceptUserIds: readonly string[]): void {
    if (feed.readerCount === 0) return;
    const frame = frameText(json);
    const messageSeq = feed.state.hidesEarlier() ? signalledMessageSeq(json) : undefined;
    for (const group of [feed.readers, feed.watchers]) {
      for (const reader of group) {
        const isHidden = messageSeq !== undefined && messageSeq < feed.shownFrom(reader);
        if (!isHidden && !exceptUserIds.includes(reader.user!.userId)) reader.pushEphemeral(frame);
      }
    }
  }

  /** The hint of a removal may be late or lost, and the signal must not overtake it: then the log is read first. */
  function roomElsewhere({ roomId, json, exceptUserIds, afterSeq }: RoomSignal): void {
    const feed = feeds.get(roomId);
    if (!feed || feed.readerCount === 0) return;
    if (feed.position >= afterSeq) {
      room(feed, json, exceptUserIds);
      return;
    }
    follower.catchUp(feed, afterSeq).then(
      () => {
        if (feed.position >= afterSeq) room(feed, json, exceptUserIds);
      },
      (error: unknown) =>
        logger[logLevelOf(error)]({ error, roomId }, 'a signal was dropped: the log could not be read'),
    );
  }

  return {
    room,
    roomElsewhere,
    user: (userId: string, json: string): void => {
      const own = readers.ofUser(userId);
      if (own.size === 0) return;
      const frame = frameText(json);
      for (const connection of own) connection.pushEphemeral(frame);
    },
  };
}

function* watchers<State extends FeedState>(feeds: FeedCache<State>) {
  for (const feed of feeds.values()) for (const connection of feed.watchers) yield { connection, roomId: feed.roomId };
}

/** The log was replaced by another one: closes all connections, and loads again what work is waiting for. */
async function startOver<State extends FeedState>({
  log,
  feeds,
  follower,
  readers,
}: {
  log: LogSource<State>;
  feeds: FeedCache<State>;
  follower: LogFollower<State>;
  readers: ReaderRegistry<State>;
}): Promise<void> {
  for (const connection of [...readers.all()]) connection.close(closeCodes.restart, 'the log was replaced');
  await follower.settled();
  for (const feed of [...feeds.values()]) {
    for (const connection of [...feed.readers, ...feed.watchers]) readers.removeReader(feed, connection);
    if (feed.pins === 0) {
      feeds.forget(feed);
      continue;
    }
    // A send waits in this room: it continues at the head of the new log.
    const loaded = await log.load(feed.roomId);
    if (loaded) feeds.replace(feed, loaded.position, loaded.state);
  }
}
