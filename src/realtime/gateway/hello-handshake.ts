/**
 * Answers hello: `welcome` with a snapshot of the user's rooms as of one moment, which the events that follow continue exactly; then
 * the missed events of the rooms in `resume`, and `resumed`.
 */

import type { Counter, Gauge } from 'prom-client';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { createGate } from '../../concurrency/gate.ts';
import { startEarly } from '../../concurrency/start-early.ts';
import { Failure } from '../../errors.ts';
import { invalidInput } from '../../http/input/input-errors.ts';
import { ByUuid } from '../../http/input/schemas.ts';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { type Connection, type ConnectionUser, closeCodes, isGone } from '../socket/connection.ts';
import { type ClientFrame, frameText } from '../socket/frame-codec.ts';

export interface WelcomeRoom {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly seq: number;
  /** The first seq that the user may read. Earlier events are not missing. */
  readonly readableFrom: number;
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
  /** Orders answers about the counts, together with `seq`. */
  readonly readVersion: number;
}

/** A user's profile and rooms, the rooms as of one moment, the most active ones first. */
export interface WelcomeSnapshot {
  readonly user: unknown;
  readonly rooms: readonly WelcomeRoom[];
  /** Rooms beyond the number that a socket follows. They are read over REST. */
  readonly beyond: readonly Pick<WelcomeRoom, 'id' | 'seq'>[];
  /** The users that the user blocks: when they mention everybody, it does not count. */
  readonly blockedIds: readonly string[];
}

export interface WelcomeSource {
  readonly snapshot: (user: ConnectionUser) => Promise<WelcomeSnapshot>;
  /** Whether the session has ended, as far as this instance knows. */
  readonly isRevoked: (user: ConnectionUser) => boolean;
  readonly logId: () => Promise<string>;
  /** How and when the user's memberships in these rooms ended, for rooms in which there was one. */
  readonly endsOf: (
    userId: string,
    roomIds: readonly string[],
  ) => Promise<ReadonlyMap<string, { reason: string; lastSeq: number }>>;
  readonly leftFrame: (roomId: string, reason: string, lastSeq: number) => string;
}

export interface WelcomeSettings {
  readonly heartbeatMs: number;
  /** Longest message in code points. Clients show it while a message is written. */
  readonly messageLengthMax: number;
  /** Hellos answered at once. Further ones wait. */
  readonly handshakesMax: number;
  readonly handshakeQueueMax: number;
  /** A hello that waited longer than this is refused with `unavailable`. */
  readonly answerTimeout: number;
}

/** The first frame of a connection. */
export const helloSchema = Type.Object(
  {
    type: Type.Literal('hello'),
    id: Type.Union([Type.String(), Type.Number()]),
    token: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })),
    resume: Type.Optional(
      Type.Object(
        {
          logId: Type.String({ maxLength: 64 }),
          // A malformed position is no error: its room gets room.reset.
          rooms: ByUuid(Type.Unknown()),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
const compiledHello = Compile(helloSchema);
type HelloFrame = Static<typeof helloSchema>;

/** @throws Failure `invalid`, naming the field */
export function checkHello(frame: ClientFrame): void {
  if (compiledHello.Check(frame)) return;
  throw invalidInput([...compiledHello.Errors(frame)], 'hello');
}

export interface WelcomeMetrics {
  readonly resumes: Counter<'result'>;
  readonly waiting: Gauge;
  readonly refused: Counter;
}

export interface HelloHandshake {
  /**
   * Sends `welcome`, then replays, then `resumed`.
   * @param onWelcomed called when the welcome is out, in the same tick
   * @throws Failure `unavailable` when too many wait
   */
  readonly welcome: (connection: Connection, frame: ClientFrame, onWelcomed: () => void) => Promise<void>;
  /** As many hellos wait as may: further upgrades are refused. */
  readonly isFull: () => boolean;
  /** Counts an upgrade that was refused because too many wait. */
  readonly countRefused: () => void;
}

export function createHelloHandshake<State extends FeedState>({
  hub,
  source,
  metrics,
  settings,
}: {
  hub: Hub<State>;
  source: WelcomeSource;
  metrics: WelcomeMetrics;
  settings: WelcomeSettings;
}): HelloHandshake {
  const gate = createGate({
    max: settings.handshakesMax,
    queueMax: settings.handshakeQueueMax,
    waitMaxMs: settings.answerTimeout,
    refusal: () => {
      metrics.refused.inc();
      return new Failure('unavailable', 'too many connect at once', {
        retryAfterMs: 1000 + Math.floor(Math.random() * 5000),
      });
    },
    onWaiting: (count) => metrics.waiting.set(count),
  });

  const welcome = createWelcome({ hub, source, resumes: metrics.resumes, settings });

  async function enterAndWelcome(connection: Connection, frame: ClientFrame, onWelcomed: () => void): Promise<void> {
    const leave = await gate.enter();
    // Other handshakes do not wait for a client that is slow to read what it missed.
    connection.onSlow = leave;
    try {
      // A client that disconnected while it waited costs nothing more.
      if (isGone(connection)) return;
      await welcome(connection, frame as unknown as HelloFrame, onWelcomed);
    } finally {
      connection.onSlow = undefined;
      leave();
    }
  }

  return { welcome: enterAndWelcome, isFull: gate.isFull, countRefused: () => metrics.refused.inc() };
}

/** Sends `welcome`, makes the connection a reader of its rooms, and sends `resumed`. */
function createWelcome<State extends FeedState>({
  hub,
  source,
  resumes,
  settings,
}: {
  hub: Hub<State>;
  source: WelcomeSource;
  resumes: WelcomeMetrics['resumes'];
  settings: Pick<WelcomeSettings, 'heartbeatMs' | 'messageLengthMax'>;
}) {
  async function welcome(connection: Connection, frame: HelloFrame, onWelcomed: () => void): Promise<void> {
    const user = connection.user!;
    const [snapshot, logId] = await Promise.all([source.snapshot(user), source.logId()]);
    const { rooms, beyond } = snapshot;
    const positions = readPositions(frame, logId);
    const own = new Set([...rooms, ...beyond].map((room) => room.id));
    const left = [...positions.keys()].filter((roomId) => !own.has(roomId));
    const ends = left.length === 0 ? undefined : await source.endsOf(user.userId, left);
    if (isGone(connection)) return;
    // The session may have ended while the snapshot was read.
    if (source.isRevoked(user)) {
      connection.close(closeCodes.revoked, 'session revoked');
      return;
    }
    sendWelcome(connection, { id: frame.id, snapshot, logId });
    // Sent before anything about rooms joined since the snapshot, because a room may be left and joined again.
    for (const roomId of left) sendLeft(connection, roomId, ends?.get(roomId));
    connection.goLive();
    const resumed: Record<string, number> = {};
    const following = startEarly(() =>
      Promise.all(rooms.map((room) => follow(connection, room, { position: positions.get(room.id), resumed }))),
    );
    hub.followEarlyJoins(connection);
    onWelcomed();
    await following;
    for (const { id: roomId, seq } of beyond) {
      if (positions.has(roomId)) connection.send({ type: 'room.reset', roomId, seq });
    }
    if (frame.resume) connection.send({ type: 'resumed', rooms: resumed });
  }

  function sendWelcome(
    connection: Connection,
    { id, snapshot, logId }: { id: string | number; snapshot: WelcomeSnapshot; logId: string },
  ): void {
    connection.send({
      type: 'welcome',
      id,
      user: snapshot.user,
      sessionId: connection.user!.sessionId ?? null,
      logId,
      heartbeatMs: settings.heartbeatMs,
      messageLengthMax: settings.messageLengthMax,
      rooms: snapshot.rooms,
      blockedIds: snapshot.blockedIds,
    });
  }

  /**
   * Makes the connection a reader of a room of the welcome.
   * @param position the last seq that the client has; undefined if it did not name the room, NaN if that seq says nothing
   * @param resumed gets the seq that was reached, for rooms that the client named
   */
  async function follow(
    connection: Connection,
    { id: roomId, seq }: WelcomeRoom,
    { position, resumed }: { position: number | undefined; resumed: Record<string, number> },
  ): Promise<void> {
    const { result, seq: reached } = await hub.attach(connection, roomId, position ?? seq, 'member', seq);
    // Also sent for rooms that the client did not name: the welcome named them.
    if (result === 'reset') connection.send({ type: 'room.reset', roomId, seq: reached });
    if (result === 'left') {
      const end = (await source.endsOf(connection.user!.userId, [roomId])).get(roomId);
      // Not if the user is a member again and has got room.joined.
      if (!hub.isFollowing(connection, roomId)) sendLeft(connection, roomId, end);
      return;
    }
    if (position === undefined) return;
    resumes.inc({ result });
    if (result !== 'closed') resumed[roomId] = reached;
  }

  function sendLeft(
    connection: Connection,
    roomId: string,
    { reason, lastSeq } = { reason: 'left', lastSeq: 0 },
  ): void {
    resumes.inc({ result: 'left' });
    connection.push(frameText(source.leftFrame(roomId, reason, lastSeq)), 0);
  }

  return welcome;
}

/** The positions of `resume` by room. NaN for a position of another log, and for anything that is no position: these rooms are reset. */
function readPositions({ resume }: HelloFrame, logId: string): Map<string, number> {
  const named = Object.entries(resume?.rooms ?? {});
  const isSameLog = resume?.logId === logId;
  return new Map(named.map(([roomId, value]) => [roomId, isSameLog && isPosition(value) ? value : Number.NaN]));
}

function isPosition(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
