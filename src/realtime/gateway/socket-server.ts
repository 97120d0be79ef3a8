/**
 * The conversation on one socket: hello first, then frames, each answered exactly once by `ack`, `welcome` or `error`
 * with its id. Bounds are checked before any work: size, rate, frames in flight, bad frames per minute.
 */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { RawData, WebSocket } from 'ws';
import { linkFailure } from '../../database/database-errors.ts';
import { Failure, toFailure } from '../../errors.ts';
import { TokenBucket } from '../../http/limits/token-bucket.ts';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { Connection, type ConnectionUser, closeCodes, isGone, isOpen, type QueueBounds } from '../socket/connection.ts';
import { BadFrame, type ClientFrame, parseClientFrame } from '../socket/frame-codec.ts';
import type { FrameHandlers } from './frame-handlers.ts';
import type { ProcessPauseWatch } from './process-pause.ts';
import type { UserSockets } from './user-sockets.ts';

export interface SocketSettings extends QueueBounds {
  readonly helloTimeout: number;
  readonly preAuthBytes: number;
  readonly socketsPerUser: number;
  readonly badFramesPerMinute: number;
  readonly inFlightPerSocket: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly framesPerSecond: number;
  readonly framesBurst: number;
  readonly closeAfter: number;
  /** Every frame is answered within this time. */
  readonly answerTimeout: number;
}

export interface SocketMetrics {
  readonly frames: Counter<'type'>;
  readonly errors: Counter<'code'>;
  readonly closes: Counter<'code'>;
  /** Events without a seq that slow readers did not get. */
  readonly dropped: Counter;
}

/** Greets: proves who the token's bearer is, and welcomes the connection with its rooms. */
export interface Greeter {
  readonly authenticate: (token: string) => Promise<ConnectionUser>;
  /** Sends `welcome`, then replays, then `resumed`. @param onWelcomed called when the welcome is out, in the same turn */
  readonly welcome: (connection: Connection, frame: ClientFrame, onWelcomed: () => void) => Promise<void>;
  /** Checks the `hello` frame's fields. @throws Failure invalid */
  readonly checkHello: (frame: ClientFrame) => void;
  /** Reads on what ended, on whatever instance, before it answers. @throws Failure `unauthenticated` when the login is among it */
  readonly confirm: (user: ConnectionUser) => Promise<void>;
}

export interface SocketServer {
  /**
   * @param raw the socket under `socket`
   * @param user proved by an Authorization header on the upgrade; otherwise hello's token proves it
   */
  readonly accept: (socket: WebSocket, raw: Socket, user: ConnectionUser | undefined) => void;
  /** Sockets accepted and not yet gone. */
  readonly open: () => Iterable<Connection>;
  readonly openCount: () => number;
  /** Frames being worked on, over all sockets. */
  readonly busy: () => number;
  /** Closes a socket once what it asked is answered; nothing more is read of it. */
  readonly retire: (connection: Connection, code: number, reason: string) => void;
  readonly stop: () => void;
}

/** Frames that need no look at ended logins of their own: they change nothing, or ask within their own transaction. */
const confirmedElsewhere = new Set(['ping', 'message.send']);
/** The ids a connection used lately; repeating one is a bad frame. */
const recentIdsMax = 256;

export function createSocketServer<State extends FeedState>({
  hub,
  greeter,
  handlers,
  userSockets,
  freeze,
  metrics,
  logger,
  settings,
}: {
  hub: Hub<State>;
  greeter: Greeter;
  handlers: FrameHandlers;
  userSockets: Pick<UserSockets, 'enter' | 'leave'>;
  freeze: Pick<ProcessPauseWatch, 'isJustAwake' | 'graceMs'>;
  metrics: SocketMetrics;
  logger: Logger;
  settings: SocketSettings;
}): SocketServer {
  const open = new Map<Connection, Conversation>();
  /** Frames being worked on, oldest first. */
  const unanswered = new Set<Work>();

  const host = {
    bounds: settings,
    touch: hub.turn.touch,
    onClose: (code: number) => metrics.closes.inc({ code: String(code) }),
    onDrop: () => metrics.dropped.inc(),
  };

  interface Work {
    readonly handler: NonNullable<FrameHandlers[string]>;
    readonly frame: ClientFrame;
    readonly startedMs: number;
    /** Answers in place of the work, which may still happen if it has begun. */
    readonly giveUp: () => void;
    begun: boolean;
  }

  const sweeper = setInterval(() => {
    const beforeMs = performance.now() - settings.answerTimeout;
    for (const work of unanswered) {
      if (work.startedMs > beforeMs) break;
      unanswered.delete(work);
      work.giveUp();
    }
  }, 250);

  class Conversation {
    readonly connection: Connection;
    /** Frames sent behind hello without waiting for its answer, in their order. */
    #early: ClientFrame[] = [];
    #earlyBytes = 0;
    /** Frames that came while the process stood still, until it is known whether their sender is still there. */
    #held: ClientFrame[] | undefined;
    #inFlight = 0;
    /** What was read together with the last frame that may be in flight: no more than one chunk of the network's. */
    #later: Work[] = [];
    #greeting = false;
    #helloTimer: NodeJS.Timeout | undefined;
    /** The user whose open sockets include this one. */
    #countedFor: string | undefined;
    #ids: Set<string | number> | undefined;
    #messages: TokenBucket | undefined;
    #frames: TokenBucket | undefined;
    #controls: TokenBucket | undefined;
    /** How the socket is to be closed when all that it asked is answered. */
    #farewell: { readonly code: number; readonly reason: string } | undefined;
    /** Bad frames and refusals for rate, with the minute they are counted in. */
    #minute = 0;
    #bad = 0;
    #refused = 0;

    constructor(connection: Connection) {
      this.connection = connection;
      this.#helloTimer = setTimeout(() => this.#close(closeCodes.helloTimeout, 'no hello'), settings.helloTimeout);
    }

    #close(code: number, reason: string): void {
      this.connection.close(code, reason);
    }

    onMessage(data: Buffer, isBinary: boolean): void {
      const { connection } = this;
      if (connection.state === 'closing') return;
      connection.seenAt = performance.now();
      // More than this is read of nobody who is not proved, but of a hello that proves it: it may name many rooms.
      const oversize = !connection.user && data.length > settings.preAuthBytes;
      if (oversize && (this.#greeting || isBinary)) {
        this.#close(closeCodes.tooLarge, 'too large before hello');
        return;
      }
      let frame: ClientFrame;
      try {
        if (isBinary) throw new BadFrame('frames are text');
        frame = parseClientFrame(data.toString('utf8'));
        this.#rememberId(frame.id);
      } catch (error) {
        if (oversize) this.#close(closeCodes.tooLarge, 'too large before hello');
        else this.#answerBad(error as Failure, error instanceof BadFrame ? error.id : undefined);
        return;
      }
      if (oversize) void this.#oversizeHello(frame);
      else if (frame.type === 'hello') void this.#hello(frame);
      else if (connection.state === 'greeting') {
        if (this.#greeting) this.#keepEarly(frame, data.length);
        else {
          this.#answerError(new Failure('unauthenticated', 'say hello first'), frame.id);
          this.#close(closeCodes.unauthenticated, 'hello first');
        }
      } else this.#dispatch(frame);
    }

    /** What comes before the welcome is dealt with after it; beyond what may be in flight, or be read of who is not proved, the rest waits unread. */
    #keepEarly(frame: ClientFrame, bytes: number): void {
      this.#early.push(frame);
      this.#earlyBytes += bytes;
      const isMuch = !this.connection.user && this.#earlyBytes > settings.preAuthBytes;
      if (isMuch || this.#early.length >= settings.inFlightPerSocket) this.connection.socket.pause();
    }

    /** Before anything else is read: what came early keeps its place before what comes now. */
    #onWelcomed(): void {
      const early = this.#early;
      this.#early = [];
      this.connection.socket.resume();
      for (const each of early) if (!isGone(this.connection)) this.#dispatch(each);
    }

    /** Pings and pongs cost little, and are not free. */
    onControl(): void {
      const nowMs = performance.now();
      this.connection.seenAt = nowMs;
      this.#controls ??= new TokenBucket(settings.framesPerSecond, settings.framesBurst, nowMs);
      if (this.#controls.take(nowMs) > 0) this.#close(closeCodes.policy, 'too many control frames');
    }

    #rememberId(id: string | number): void {
      this.#ids ??= new Set();
      if (this.#ids.has(id)) throw new BadFrame('"id" was used before on this connection', id);
      this.#ids.add(id);
      if (this.#ids.size > recentIdsMax) this.#ids.delete(this.#ids.values().next().value!);
    }

    /** Its token counts before anything else is looked at. */
    async #oversizeHello(frame: ClientFrame): Promise<void> {
      this.#greeting = true;
      const { type, token } = frame;
      const isHello = type === 'hello' && typeof token === 'string' && token.length <= settings.preAuthBytes;
      const user = isHello ? await greeter.authenticate(token).catch(() => undefined) : undefined;
      this.#greeting = false;
      if (!user) this.#close(closeCodes.tooLarge, 'too large before hello');
      else if (!isGone(this.connection)) await this.#hello(frame);
    }

    async #hello(frame: ClientFrame): Promise<void> {
      const { connection } = this;
      if (connection.state === 'live' || this.#greeting) {
        this.#answerError(new BadFrame('hello was said already'), frame.id);
        this.#close(closeCodes.unauthenticated, 'second hello');
        return;
      }
      this.#greeting = true;
      try {
        greeter.checkHello(frame);
        // A token in hello counts more than one on the upgrade.
        if (typeof frame.token === 'string') connection.user = await greeter.authenticate(frame.token);
        else if (connection.user) await greeter.confirm(connection.user);
        if (!connection.user) throw new Failure('unauthenticated', 'hello needs a token');
        if (connection.user.expiresAt <= Date.now()) throw new Failure('token_expired', 'the token has ended');
        if (isGone(connection)) return;
        await this.#countIn(connection.user.userId);
        if (isGone(connection)) return;
        clearTimeout(this.#helloTimer);
        this.#helloTimer = undefined;
        hub.addConnection(connection);
        await greeter.welcome(connection, frame, () => this.#onWelcomed());
      } catch (error) {
        this.#refuseHello(linkFailure(error, false) ?? toFailure(error), frame.id);
      } finally {
        this.#greeting = false;
        // What was too much to be read before the welcome is in the way of the peer's close.
        if (isGone(connection)) connection.socket.resume();
      }
    }

    /** @throws Failure `rate_limited` */
    async #countIn(userId: string): Promise<void> {
      if (!(await userSockets.enter(userId)))
        throw new Failure('rate_limited', `at most ${settings.socketsPerUser} sockets of one user`, {
          // Longer than the sockets of a killed instance count.
          retryAfterMs: 5000,
        });
      // A connection that closed before this point is not counted out by its close.
      if (isGone(this.connection)) userSockets.leave(userId);
      else this.#countedFor = userId;
    }

    #refuseHello(failure: Failure, id: string | number): void {
      // Once welcome was sent, hello has its answer.
      this.#answerError(failure, this.connection.state === 'greeting' ? id : undefined);
      if (failure.code === 'internal') logger.error({ err: failure }, 'hello failed');
      if (failure.code === 'rate_limited') this.#close(closeCodes.rateLimited, 'too many sockets');
      else if (failure.kind.retryable) this.#close(closeCodes.restart, 'try again');
      else this.#close(closeCodes.unauthenticated, failure.code);
    }

    #dispatch(frame: ClientFrame): void {
      if (this.#held) {
        if (this.#held.length < settings.framesBurst) this.#held.push(frame);
        else this.#answerError(new Failure('rate_limited', 'too fast', { retryAfterMs: freeze.graceMs }), frame.id);
      } else if (freeze.isJustAwake()) {
        this.#held = [frame];
        setTimeout(() => this.#letIn(), freeze.graceMs);
      } else this.#handle(frame);
    }

    #letIn(): void {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const frame of held) if (isOpen(this.connection)) this.#handle(frame);
    }

    #handle(frame: ClientFrame): void {
      const wait = this.#takeRate(frame.type);
      if (wait > 0) {
        this.#refused = this.#sameMinute() ? this.#refused + 1 : 1;
        this.#answerError(new Failure('rate_limited', 'too fast', { retryAfterMs: wait }), frame.id);
        if (this.#refused > settings.closeAfter) this.#close(closeCodes.rateLimited, 'rate limited');
        return;
      }
      const handler = Object.hasOwn(handlers, frame.type) ? handlers[frame.type] : undefined;
      if (!handler) {
        this.#answerBad(new BadFrame(`"${frame.type.slice(0, 40)}" is no frame type`), frame.id);
        return;
      }
      metrics.frames.inc({ type: frame.type });
      try {
        handler.check(frame);
      } catch (error) {
        this.#answerBad(error as Failure, frame.id);
        return;
      }
      const work: Work = {
        handler,
        frame,
        startedMs: performance.now(),
        giveUp: () => {
          const code = work.begun ? 'outcome_unknown' : 'unavailable';
          this.#answerError(new Failure(code, 'this took too long', { retryAfterMs: 1000 }), frame.id);
        },
        begun: false,
      };
      unanswered.add(work);
      if (this.#inFlight < settings.inFlightPerSocket) void this.#run(work);
      else this.#later.push(work);
    }

    async #run(work: Work): Promise<void> {
      const { connection } = this;
      const { handler, frame } = work;
      work.begun = true;
      this.#begin();
      try {
        if (!confirmedElsewhere.has(frame.type)) await greeter.confirm(connection.user!);
        const ack = await handler.run({ connection, caller: connection.user! }, frame as never);
        if (unanswered.delete(work)) connection.send({ type: 'ack', id: frame.id, ...ack });
      } catch (error) {
        const failure = linkFailure(error, true) ?? toFailure(error);
        if (failure.code === 'internal')
          logger.error({ err: error, frameType: frame.type }, 'a frame failed unexpectedly');
        if (unanswered.delete(work)) this.#answerError(failure, frame.id);
      } finally {
        this.#end();
      }
    }

    /** Too many frames in flight: the rest waits unread, in the kernel's buffers and the client's. */
    #begin(): void {
      this.#inFlight += 1;
      if (this.#inFlight === settings.inFlightPerSocket) this.connection.socket.pause();
    }

    #end(): void {
      this.#inFlight -= 1;
      let next = this.#later.shift();
      // Whoever was answered in the meantime was told that nothing happened.
      while (next && !unanswered.has(next)) next = this.#later.shift();
      if (next) void this.#run(next);
      else if (this.#farewell) this.#sayFarewell();
      else if (this.#inFlight === settings.inFlightPerSocket - 1) this.connection.socket.resume();
    }

    retire(code: number, reason: string): void {
      this.#farewell ??= { code, reason };
      this.connection.socket.pause();
      this.#sayFarewell();
    }

    #sayFarewell(): void {
      if (this.#inFlight > 0 || isGone(this.connection)) return;
      const { code, reason } = this.#farewell!;
      this.#close(code, reason);
      // The peer's own close is still to be read.
      this.connection.socket.resume();
    }

    #takeRate(type: string): number {
      const nowMs = performance.now();
      this.#frames ??= new TokenBucket(settings.framesPerSecond, settings.framesBurst, nowMs);
      const wait = this.#frames.take(nowMs);
      if (wait > 0 || type !== 'message.send') return wait;
      this.#messages ??= new TokenBucket(settings.messagesPerSecond, settings.messagesBurst, nowMs);
      return this.#messages.take(nowMs);
    }

    #sameMinute(): boolean {
      const minute = Math.floor(performance.now() / 60_000);
      const same = minute === this.#minute;
      if (!same) {
        this.#minute = minute;
        this.#bad = 0;
        this.#refused = 0;
      }
      return same;
    }

    #answerBad(failure: Failure, id: string | number | undefined): void {
      this.#bad = this.#sameMinute() ? this.#bad + 1 : 1;
      this.#answerError(failure, id);
      if (this.connection.state === 'greeting' && !this.#greeting)
        this.#close(closeCodes.unauthenticated, 'hello first');
      else if (this.#bad > settings.badFramesPerMinute) this.#close(closeCodes.policy, 'too many bad frames');
    }

    #answerError(failure: Failure, id: string | number | undefined): void {
      metrics.errors.inc({ code: failure.code });
      const message = failure.code === 'internal' ? 'an unexpected error' : failure.message;
      const { code, retryAfterMs, errors, details } = failure;
      this.connection.send({
        type: 'error',
        ...(id === undefined ? {} : { id }),
        code,
        message,
        retryAfterMs,
        errors,
        ...details,
      });
    }

    onClose(): void {
      clearTimeout(this.#helloTimer);
      this.connection.markClosed();
      for (const work of this.#later) unanswered.delete(work);
      open.delete(this.connection);
      hub.removeConnection(this.connection);
      if (this.#countedFor !== undefined) userSockets.leave(this.#countedFor);
      this.#countedFor = undefined;
    }
  }

  function accept(socket: WebSocket, raw: Socket, user: ConnectionUser | undefined): void {
    const connection = new Connection(socket, raw, host, performance.now());
    connection.user = user;
    const conversation = new Conversation(connection);
    open.set(connection, conversation);
    socket.on('message', (data: RawData, isBinary: boolean) => conversation.onMessage(data as Buffer, isBinary));
    socket.on('ping', () => conversation.onControl());
    socket.on('pong', () => conversation.onControl());
    socket.on('close', () => conversation.onClose());
    // ws answers protocol breaches by itself (1002, 1007, 1009) and then closes.
    socket.on('error', (error: Error & { code?: string }) => {
      const code = breachCode(error.code);
      if (code !== undefined) host.onClose(code);
      logger.debug({ error: error.message }, 'socket error');
    });
  }

  return {
    accept,
    open: () => open.keys(),
    openCount: () => open.size,
    busy: () => unanswered.size,
    retire: (connection, code, reason) => open.get(connection)?.retire(code, reason),
    stop: () => clearInterval(sweeper),
  };
}

/** What `ws` closes with for this error of its own; undefined: no breach, the network failed. */
function breachCode(error = ''): number | undefined {
  if (!error.startsWith('WS_ERR_')) return undefined;
  if (error.endsWith('_LENGTH') && error !== 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH') return closeCodes.tooLarge;
  if (error === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return closeCodes.policy;
  return error === 'WS_ERR_INVALID_UTF8' ? closeCodes.invalidText : closeCodes.protocolBreach;
}
