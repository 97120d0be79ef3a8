/**
 * All connections of this process and the rooms they read. The hub moves log events to sockets without opening them:
 * what an event means for a room's readers is said by the room's `FeedState`.
 *
 * Promise: every reader gets each room's events in seq order, each once, without a hole. An event that arrives out of
 * order is not delivered; the log is read instead (`catchUp`). Three things notice a hole: the next event's seq, the
 * periodic head check, and the return of the hints' link.
 */
import type { Logger } from 'pino';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { logLevelOf } from '../database/database-errors.ts';
import { type Connection, closeCodes, isGone } from './connection.ts';
import { createDeliveryTurn, type DeliveryTurn, type TurnWork } from './delivery-turn.ts';
import { Feed, type FeedEvent, type FeedState, type ReaderChange } from './feed.ts';
import { createFeedMemory, type FeedMemorySettings } from './feed-memory.ts';
import { frameText } from './frame-codec.ts';
import type { EventHint, Hints, JoinHint } from './hints.ts';
import { createReplayPages, pushFitting } from './replay-pages.ts';
import { createSingleLook } from './single-look.ts';

export interface HubSettings extends FeedMemorySettings {
  readonly headCheck: number;
  readonly deliverySlice: number;
  readonly replayPageEvents: number;
  readonly resumeMaxEvents: number;
}

/** The log in Postgres, as the hub needs it. Both batch what is asked within one turn. */
export interface LogSource<State extends FeedState> {
  /** A consistent pair of position and state, or undefined where there is no such room. */
  readonly load: (roomId: string) => Promise<{ position: number; state: State } | undefined>;
  /** Events after `after`, at most `limit`, in seq order. */
  readonly read: (roomId: string, after: number, limit: number) => Promise<readonly FeedEvent[]>;
  readonly heads: (roomIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;
}

/** What the hub tells connections about memberships; bodies are made by whoever knows rooms. */
export interface MembershipFrames {
  /** The JSON of `room.joined` for this user, or undefined when the room cannot be described now. */
  readonly joined: (roomId: string, userId: string) => Promise<string | undefined>;
  readonly left: (roomId: string, reason: string, lastSeq: number) => string;
}

export interface HubMetrics {
  readonly delivered: Counter;
  readonly deliverySeconds: Histogram;
  readonly backfills: Counter;
  readonly feeds: Gauge;
  readonly connections: Gauge;
}

export type AttachResult = 'live' | 'reset' | 'left' | 'closed';

export interface Hub<State extends FeedState> {
  readonly turn: DeliveryTurn;
  readonly addConnection: (connection: Connection) => void;
  readonly removeConnection: (connection: Connection) => void;
  readonly connectionsOf: (userId: string) => readonly Connection[];
  readonly connections: () => Iterable<Connection>;
  /** The room as of some recent position, loaded when needed; undefined where there is none. */
  readonly feed: (roomId: string) => Promise<Feed<State> | undefined>;
  /** The same of a room in memory; asking keeps it there. */
  readonly loadedFeed: (roomId: string) => Feed<State> | undefined;
  /** Takes committed events in, ours or another instance's; a hole starts a catch-up. */
  readonly take: (roomId: string, events: readonly FeedEvent[]) => void;
  /** Reads the log up to its head. @param atLeast the log is known to hold this: it is read as often as that takes */
  readonly catchUp: (feed: Feed<State>, atLeast?: number) => Promise<void>;
  /**
   * Makes a connection a reader of a room from the event after `after` on, without a hole or a repeat.
   * `reset`: too far behind or beyond the head; it reads from the head on. `left`: no longer a member.
   * @param atLeast the room is known to have come this far: what memory holds is read on to there first
   */
  readonly attach: (
    connection: Connection,
    roomId: string,
    after: number,
    as: 'member' | 'watcher',
    atLeast?: number,
  ) => Promise<{ result: AttachResult; seq: number }>;
  readonly detach: (connection: Connection, roomId: string) => void;
  readonly isReading: (connection: Connection, roomId: string) => boolean;
  /** Connections that read rooms which they are no members of. */
  readonly watching: () => Iterable<{ readonly connection: Connection; readonly roomId: string }>;
  /** Ends a connection's watching of a room and tells it why; what it was to get by now it gets before. */
  readonly dismiss: (connection: Connection, roomId: string, reason: string) => void;
  /** Rooms that the connection reads, or is about to. */
  readonly readingCount: (connection: Connection) => number;
  /** Whether the connection reads the room, or is about to. */
  readonly isFollowing: (connection: Connection, roomId: string) => boolean;
  /** The rooms of the welcome are followed, or about to be: now those joined since its snapshot. */
  readonly followJoinsMeanwhile: (connection: Connection) => void;
  /** A membership began somewhere: attaches the user's connections here. */
  readonly onJoin: (hint: JoinHint) => void;
  /** A membership began: the same, and tells the other instances. */
  readonly announceJoin: (hint: JoinHint) => void;
  readonly signalRoom: (roomId: string, json: string, exceptUserId: string) => void;
  readonly signalUser: (userId: string, json: string) => void;
  readonly announce: (hints: readonly EventHint[]) => void;
  /** The log was replaced by another: all readers are sent to begin anew, and every room in memory is loaded again. */
  readonly beginAnew: () => Promise<void>;
  /** What was said of somebody is to be read anew. */
  readonly forgetRecent: () => void;
  readonly stop: () => void;
}

export function createHub<State extends FeedState>({
  log,
  hints,
  onRevocationHint,
  onMissing,
  membership,
  metrics,
  logger,
  settings,
}: {
  log: LogSource<State>;
  hints: Hints;
  /** Somebody's login ended somewhere: look at once. */
  onRevocationHint: () => void;
  /** The room had come to `seq` here, and the log in Postgres ends before it. */
  onMissing: (roomId: string, seq: number) => void;
  membership: MembershipFrames;
  metrics: HubMetrics;
  logger: Logger;
  settings: HubSettings;
}): Hub<State> {
  const turn = createDeliveryTurn((seconds) => metrics.deliverySeconds.observe(seconds));
  const loading = new Map<string, { promise: Promise<Feed<State> | undefined>; seenSeq: number }>();
  const catchingUp = new Map<Feed<State>, Promise<void>>();
  const byUser = new Map<string, Set<Connection>>();
  const reading = new Map<Connection, Set<Feed<State>>>();
  const attaching = new Map<Connection, Set<string>>();
  const replayPage = createReplayPages({ log, pageEvents: settings.replayPageEvents });
  const dirty = new Set<Feed<State>>();
  const feeds = createFeedMemory<State>({ settings, isBusy: (feed) => catchingUp.has(feed), rooms: metrics.feeds });
  let stopped = false;

  // ── Connections ──

  function addConnection(connection: Connection): void {
    const userId = connection.user!.userId;
    const own = byUser.get(userId);
    if (own) own.add(connection);
    else {
      byUser.set(userId, new Set([connection]));
      hints.followUser(userId);
    }
    reading.set(connection, new Set());
    metrics.connections.set(reading.size);
  }

  function removeConnection(connection: Connection): void {
    const own = connection.user && byUser.get(connection.user.userId);
    if (own?.delete(connection) && own.size === 0) {
      byUser.delete(connection.user!.userId);
      hints.unfollowUser(connection.user!.userId);
    }
    for (const feed of reading.get(connection) ?? []) removeReader(feed, connection);
    reading.delete(connection);
    attaching.delete(connection);
    metrics.connections.set(reading.size);
  }

  function addReader(feed: Feed<State>, connection: Connection, as: 'member' | 'watcher'): void {
    if (feed.readerCount === 0) hints.followRoom(feed.roomId);
    (as === 'member' ? feed.readers : feed.watchers).add(connection);
    if (as === 'member') feed.watchers.delete(connection);
    reading.get(connection)?.add(feed);
  }

  function removeReader(feed: Feed<State>, connection: Connection): void {
    const was = feed.readerCount;
    feed.readers.delete(connection);
    feed.watchers.delete(connection);
    reading.get(connection)?.delete(feed);
    if (was > 0 && feed.readerCount === 0) hints.unfollowRoom(feed.roomId);
  }

  // ── Feeds ──

  async function findFeed(roomId: string): Promise<Feed<State> | undefined> {
    const already = feeds.use(roomId) ?? loading.get(roomId)?.promise;
    if (already) return already;
    const entry = { promise: loadFeed(roomId), seenSeq: 0 };
    loading.set(roomId, entry);
    try {
      const feed = await entry.promise;
      if (feed && entry.seenSeq > feed.position) readOn(feed);
      return feed;
    } finally {
      loading.delete(roomId);
    }
  }

  async function loadFeed(roomId: string): Promise<Feed<State> | undefined> {
    const loaded = await log.load(roomId);
    if (!loaded) return undefined;
    const feed = new Feed(roomId, loaded.position, loaded.state);
    feeds.add(feed);
    return feed;
  }

  // ── Events in ──

  function take(roomId: string, events: readonly FeedEvent[]): void {
    const feed = feeds.get(roomId);
    const last = events.at(-1)?.seq ?? 0;
    if (!feed) {
      const entry = loading.get(roomId);
      if (entry) entry.seenSeq = Math.max(entry.seenSeq, last);
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
    const hadPending = feed.pending.length;
    const change = feeds.take(feed, event);
    if (change) changeReaders(feed, event, change, hadPending);
    if (feed.readerCount === 0) feed.pending = [];
    else if (!dirty.has(feed)) {
      dirty.add(feed);
      turn.beforeWrite(() => deliver(feed), feed.pendingSinceMs);
    }
  }

  /** The event that ends a membership is the last its user gets; the one that begins it is the first. */
  function changeReaders(feed: Feed<State>, event: FeedEvent, change: ReaderChange, pendingBefore: number): void {
    if (change.joined !== undefined && byUser.has(change.joined)) {
      const own = feed.pending.splice(pendingBefore);
      pushNow(feed);
      feed.pending.push(...own);
      for (const connection of byUser.get(change.joined)!) joinLive(feed, connection);
    }
    if (change.left || change.watchersLeave || change.closed) {
      pushNow(feed);
      const lastSeq = event.seq;
      for (const connection of change.closed ? [...feed.readers] : []) leave(feed, connection, 'deleted', lastSeq);
      if (change.left) {
        for (const connection of byUser.get(change.left.userId) ?? []) {
          if (feed.readers.has(connection)) leave(feed, connection, change.left.reason, lastSeq);
        }
      }
      if (change.watchersLeave || change.closed) {
        for (const connection of [...feed.watchers])
          leave(feed, connection, change.closed ? 'deleted' : 'left', lastSeq);
      }
    }
    if (change.closed) feed.closed = true;
  }

  function joinLive(feed: Feed<State>, connection: Connection): void {
    if (connection.joinsMeanwhile) {
      connection.joinsMeanwhile.push({ roomId: feed.roomId, seq: feed.position });
      return;
    }
    const isAttaching = attaching.get(connection)?.has(feed.roomId);
    if (feed.readers.has(connection) || connection.state !== 'live' || isAttaching) return;
    addReader(feed, connection, 'member');
    void tellJoined(feed, connection);
  }

  /** Says `room.joined`, unless the user has left again before it could be said: then nothing of the room is theirs. */
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
    removeReader(feed, connection);
  }

  // ── Events out ──

  /** Hands pending frames to all readers at once; for small steps where readers are about to change. */
  function pushNow(feed: Feed<State>): void {
    slicing.get(feed)?.();
    const batch = takePending(feed);
    if (!batch) return;
    for (const reader of feed.readers) reader.push(batch.bytes, batch.events);
    for (const watcher of feed.watchers) watcher.push(batch.bytes, batch.events);
  }

  function takePending(feed: Feed<State>): { bytes: Buffer; events: number } | undefined {
    const events = feed.pending.length;
    if (events === 0) return undefined;
    const bytes = events === 1 ? feed.pending[0]! : Buffer.concat(feed.pending);
    feed.pending = [];
    metrics.delivered.inc(events * feed.readerCount);
    return { bytes, events };
  }

  /** A turn's frames of one room, joined once and pushed to each reader. A very large room is served in slices. */
  function deliver(feed: Feed<State>): TurnWork | undefined {
    if (feed.readerCount <= settings.deliverySlice) {
      dirty.delete(feed);
      pushNow(feed);
      return undefined;
    }
    const batch = takePending(feed);
    if (!batch) {
      dirty.delete(feed);
      return undefined;
    }
    const readers = [...feed.readers, ...feed.watchers];
    let next = 0;
    const slice = (): TurnWork | undefined => {
      const end = Math.min(next + settings.deliverySlice, readers.length);
      for (; next < end; next++) readers[next]!.push(batch.bytes, batch.events);
      if (next < readers.length) return slice;
      slicing.delete(feed);
      // What came in meanwhile follows only now, so that every socket sees the order of the log.
      if (feed.pending.length > 0) turn.beforeWrite(() => deliver(feed), feed.pendingSinceMs);
      else dirty.delete(feed);
      return undefined;
    };
    slicing.set(feed, () => {
      for (; next < readers.length; next++) readers[next]!.push(batch.bytes, batch.events);
    });
    return slice();
  }

  /** Rooms in the middle of a sliced delivery, and how to finish it at once. */
  const slicing = new Map<Feed<State>, () => void>();

  // ── Holes ──

  async function catchUp(feed: Feed<State>, atLeast = 0): Promise<void> {
    // One that runs may have looked before the event was there that is waited for: then there is another.
    for (let wasFresh = false; !wasFresh; ) {
      const running = catchingUp.get(feed);
      wasFresh = running === undefined;
      await (running ?? startCatchUp(feed));
      if (feed.position >= atLeast) return;
    }
  }

  /** Where nobody waits for it: what fails is logged, and repeated by the head check. */
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
    metrics.backfills.inc();
    for (;;) {
      const events = await log.read(feed.roomId, feed.position, settings.replayPageEvents);
      const before = feed.position;
      for (const event of events) if (event.seq === feed.position + 1) takeNext(feed, event);
      if (events.length < settings.replayPageEvents || feed.position === before) return;
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

  const headCheck = createSingleLook(checkHeads, (error) => logger.debug({ error }, 'head check failed'));

  async function beginAnew(): Promise<void> {
    for (const connection of [...reading.keys()]) connection.close(closeCodes.restart, 'the log was replaced');
    await Promise.allSettled([...catchingUp.values(), ...[...loading.values()].map(({ promise }) => promise)]);
    for (const feed of [...feeds.values()]) {
      for (const connection of [...feed.readers, ...feed.watchers]) removeReader(feed, connection);
      if (feed.pins === 0) {
        feeds.forget(feed);
        continue;
      }
      // Work waits for its turn in this room: it goes on from where the new log is.
      const loaded = await log.load(feed.roomId);
      if (loaded) feeds.replace(feed, loaded.position, loaded.state);
    }
  }

  // ── Attaching: replay from the log, then from memory, then live, stitched by seq ──

  async function attach(
    connection: Connection,
    roomId: string,
    after: number,
    as: 'member' | 'watcher',
    atLeast = after,
  ) {
    const end = beginAttaching(connection, roomId);
    if (!end) return { result: 'closed' as const, seq: after };
    if (end === 'following') return { result: 'live' as const, seq: feeds.get(roomId)?.position ?? after };
    try {
      return await replay(connection, roomId, after, as, atLeast);
    } finally {
      end();
    }
  }

  /** @returns what ends it, or why there is nothing to begin. Whoever has gone is remembered nowhere */
  function beginAttaching(connection: Connection, roomId: string): (() => void) | 'following' | undefined {
    if (!reading.has(connection)) return undefined;
    if (isFollowing(connection, roomId)) return 'following';
    const own = attaching.get(connection) ?? new Set<string>();
    attaching.set(connection, own);
    own.add(roomId);
    return () => own.delete(roomId);
  }

  async function replay(
    connection: Connection,
    roomId: string,
    after: number,
    as: 'member' | 'watcher',
    atLeast: number,
  ) {
    const feed = await findFeed(roomId);
    if (!feed) return { result: 'left' as const, seq: 0 };
    feed.pins += 1;
    try {
      // Without readers nothing kept it up to date: it may not know of the very membership that is to be read.
      if (feed.position < Math.max(after, atLeast)) await catchUp(feed, Math.max(after, atLeast));
      const userId = connection.user!.userId;
      let position = after;
      let reset =
        !Number.isSafeInteger(after) ||
        after < 0 ||
        after > feed.position ||
        feed.position - after > settings.resumeMaxEvents;
      for (;;) {
        if (isGone(connection)) return { result: 'closed' as const, seq: position };
        const isMember = feed.state.isMember(userId);
        const allowed = !feed.closed && (isMember || (as === 'watcher' && feed.state.isPublic()));
        if (!allowed) return { result: 'left' as const, seq: position };
        const allowedUpTo = feed.position;
        const from = isMember ? feed.state.readableFrom(userId) : 1;
        // Whoever read up to a place before their present membership had another one: what they missed of it is not told here.
        if (position > 0 && position < from - 1) reset = true;
        position = reset ? feed.position : Math.max(position, from - 1);
        const frames = reset ? [] : feed.framesAfter(position);
        if (frames) {
          // From here to the end nothing is awaited: what is pending goes to the others, the rest is live.
          pushNow(feed);
          const pushed = pushFitting(connection, frames);
          if (pushed === frames.length) {
            // A member reads as one, whatever they asked for: nothing but the end of the membership ends that.
            addReader(feed, connection, isMember ? 'member' : as);
            return { result: reset ? ('reset' as const) : ('live' as const), seq: feed.position };
          }
          position += pushed;
          await connection.drained();
          continue;
        }
        const { pushed, seen } = await replayPage(connection, { roomId, after: position, upTo: allowedUpTo });
        position += pushed;
        if (pushed > 0) continue;
        if (seen > 0) await catchUp(feed, seen);
        else reset = true;
      }
    } finally {
      feed.pins -= 1;
    }
  }

  function detach(connection: Connection, roomId: string): void {
    const feed = feeds.get(roomId);
    if (feed) removeReader(feed, connection);
  }

  function* watching() {
    for (const feed of feeds.values())
      for (const connection of feed.watchers) yield { connection, roomId: feed.roomId };
  }

  function dismiss(connection: Connection, roomId: string, reason: string): void {
    const feed = feeds.get(roomId);
    if (!feed?.watchers.has(connection)) return;
    pushNow(feed);
    leave(feed, connection, reason, feed.position);
  }

  function isReading(connection: Connection, roomId: string): boolean {
    const feed = feeds.get(roomId);
    return feed !== undefined && (feed.readers.has(connection) || feed.watchers.has(connection));
  }

  // ── Signals ──

  function onJoin({ userId, roomId, seq }: JoinHint): void {
    for (const connection of byUser.get(userId) ?? []) {
      if (connection.joinsMeanwhile) connection.joinsMeanwhile.push({ roomId, seq });
      else if (connection.state === 'live' && !isFollowing(connection, roomId))
        void attachJoined(connection, roomId, seq);
    }
  }

  function isFollowing(connection: Connection, roomId: string): boolean {
    return isReading(connection, roomId) || (attaching.get(connection)?.has(roomId) ?? false);
  }

  function followJoinsMeanwhile(connection: Connection): void {
    // Told by several ways; the last one of a room is its present membership.
    const joins = new Map((connection.joinsMeanwhile ?? []).map(({ roomId, seq }) => [roomId, seq]));
    connection.joinsMeanwhile = undefined;
    for (const [roomId, seq] of joins) onJoin({ userId: connection.user!.userId, roomId, seq });
  }

  async function attachJoined(connection: Connection, roomId: string, seq: number): Promise<void> {
    const end = beginAttaching(connection, roomId);
    if (typeof end !== 'function') return;
    try {
      const feed = await findFeed(roomId);
      if (!feed) return;
      // Where nobody reads nothing keeps memory current, and the news of a join may be old: they may have left since.
      if (feed.readerCount === 0 || feed.position < seq) await catchUp(feed, seq);
      if (!feed.state.isMember(connection.user!.userId)) return;
      await tellJoined(feed, connection);
      const { result, seq: reached } = await replay(connection, roomId, seq - 1, 'member', seq);
      if (result === 'left') connection.push(frameText(membership.left(roomId, 'left', reached)), 0);
      if (result === 'reset') connection.send({ type: 'room.reset', roomId, seq: reached });
    } catch (error) {
      logger[logLevelOf(error)]({ error, roomId }, 'a joined room could not be followed and is tried again');
      const again = () => onJoin({ userId: connection.user!.userId, roomId, seq });
      if (!stopped && !isGone(connection)) setTimeout(again, settings.headCheck).unref();
    } finally {
      end();
    }
  }

  function localRoomSignal(roomId: string, json: string, exceptUserId: string): void {
    const feed = feeds.get(roomId);
    if (!feed || feed.readerCount === 0) return;
    const frame = frameText(json);
    for (const readers of [feed.readers, feed.watchers]) {
      for (const reader of readers) if (reader.user!.userId !== exceptUserId) reader.pushEphemeral(frame);
    }
  }

  function localUserSignal(userId: string, json: string): void {
    const own = byUser.get(userId);
    if (!own) return;
    const frame = frameText(json);
    for (const connection of own) connection.pushEphemeral(frame);
  }

  hints.listen({
    onEvents: ({ roomId, firstSeq, events }) =>
      take(
        roomId,
        events.map((json, index) => ({ seq: firstSeq + index, json })),
      ),
    onJoin,
    onRoomSignal: localRoomSignal,
    onUserSignal: localUserSignal,
    onRevocation: onRevocationHint,
    onLinkRestored: headCheck.ifIdle,
    onSubscribed: headCheck.surely,
  });
  const timer = setInterval(headCheck.ifIdle, settings.headCheck);

  return {
    turn,
    addConnection,
    removeConnection,
    connectionsOf: (userId) => [...(byUser.get(userId) ?? [])],
    connections: () => reading.keys(),
    feed: findFeed,
    loadedFeed: feeds.use,
    take,
    catchUp,
    attach,
    detach,
    isReading,
    watching,
    dismiss,
    readingCount: (connection) => (reading.get(connection)?.size ?? 0) + (attaching.get(connection)?.size ?? 0),
    isFollowing,
    followJoinsMeanwhile,
    onJoin,
    announceJoin: (hint) => {
      onJoin(hint);
      hints.announceJoin(hint);
    },
    signalRoom: (roomId, json, exceptUserId) => {
      localRoomSignal(roomId, json, exceptUserId);
      hints.signalRoom(roomId, json, exceptUserId);
    },
    signalUser: (userId, json) => {
      localUserSignal(userId, json);
      hints.signalUser(userId, json);
    },
    announce: hints.announceEvents,
    beginAnew,
    forgetRecent: feeds.forgetRecent,
    stop: () => {
      stopped = true;
      headCheck.stop();
      clearInterval(timer);
    },
  };
}
