/**
 * One connection's side of the protocol: hello first, then frames. Each frame is answered exactly once, by `ack`, `welcome` or
 * `error` with its id. Bounds are checked before any work: size, rate, frames in flight, bad frames per minute.
 *
 * States: waiting for hello → greeting (hello is being answered; further frames are kept) → live → closed.
 */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { linkFailure } from '../../database/database-errors.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { type Connection, type ConnectionUser, closeCodes, isGone, isOpen } from '../socket/connection.ts';
import { BadFrame, type ClientFrame, parseClientFrame } from '../socket/frame-codec.ts';
import type { FrameDeadlines, FrameWork } from './frame-deadlines.ts';
import type { FrameHandler, FrameHandlers } from './frame-handlers.ts';
import { type FrameLimitSettings, FrameLimits } from './frame-limits.ts';
import { FrameQueue } from './frame-queue.ts';
import type { WakeGrace } from './process-pause.ts';
import type { UserSockets } from './user-sockets.ts';

export interface ConversationSettings extends FrameLimitSettings {
  readonly helloTimeout: number;
  readonly preAuthBytes: number;
  readonly socketsPerUser: number;
  readonly inFlightPerSocket: number;
}

/** Answers hello: proves whose token it is, and welcomes the connection with its rooms. */
export interface Greeter {
  readonly authenticate: (token: string) => Promise<ConnectionUser>;
  /** Sends `welcome`, then replays, then `resumed`. @param onWelcomed called when the welcome is out, in the same tick */
  readonly welcome: (connection: Connection, frame: ClientFrame, onWelcomed: () => void) => Promise<void>;
  /** Checks the fields of the `hello` frame. @throws Failure `invalid` */
  readonly checkHello: (frame: ClientFrame) => void;
  /** Reads which sessions have ended, on any instance. @throws Failure `unauthenticated` when this one is among them */
  readonly confirm: (user: ConnectionUser) => Promise<void>;
}

/** What all conversations of this process share. */
export interface ConversationHost {
  readonly hub: Pick<Hub<FeedState>, 'addConnection' | 'removeConnection'>;
  readonly greeter: Greeter;
  readonly handlers: FrameHandlers;
  readonly userSockets: Pick<UserSockets, 'enter' | 'leave'>;
  readonly wakeGrace: WakeGrace;
  readonly deadlines: FrameDeadlines;
  readonly metrics: { readonly frames: Counter<'type'>; readonly errors: Counter<'code'> };
  readonly logger: Logger;
  readonly settings: ConversationSettings;
}

/** Frames that need no check for ended sessions here: they change nothing, or check within their own transaction. */
const confirmedElsewhere = new Set(['ping', 'message.send']);

export class Conversation {
  readonly connection: Connection;
  readonly #host: ConversationHost;
  readonly #limits: FrameLimits;
  /** Made with the first frame, because most connections only listen. */
  #queue: FrameQueue | undefined;
  /** Frames that came after hello and before its answer, in their order. */
  #early: ClientFrame[] = [];
  #earlyBytes = 0;
  /** Frames read right after a process pause, until it is known whether their sender is still there. */
  #held: ClientFrame[] | undefined;
  #greeting = false;
  #helloTimer: NodeJS.Timeout | undefined;
  /** The user whose open sockets include this one. */
  #countedFor: string | undefined;

  constructor(connection: Connection, host: ConversationHost) {
    this.connection = connection;
    this.#host = host;
    this.#limits = new FrameLimits(host.settings);
    this.#helloTimer = setTimeout(() => this.#close(closeCodes.helloTimeout, 'no hello'), host.settings.helloTimeout);
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    const { connection } = this;
    if (connection.state === 'closing') return;
    connection.seenAt = performance.now();
    // Before authentication only a hello may be larger than this, because it may name many rooms; its token is checked first.
    const oversize = !connection.user && data.length > this.#host.settings.preAuthBytes;
    if (oversize && (this.#greeting || isBinary)) {
      this.#close(closeCodes.tooLarge, 'too large before hello');
      return;
    }
    let frame: ClientFrame;
    try {
      if (isBinary) throw new BadFrame('frames are text');
      frame = parseClientFrame(data.toString('utf8'));
      this.#limits.rememberId(frame.id);
    } catch (error) {
      if (oversize) this.#close(closeCodes.tooLarge, 'too large before hello');
      else this.#answerBad(error as Failure, error instanceof BadFrame ? error.id : undefined);
      return;
    }
    if (oversize) void this.#oversizeHello(frame);
    else if (frame.type === 'hello') void this.#hello(frame);
    else if (connection.state !== 'greeting') this.#dispatch(frame);
    else if (this.#greeting) this.#keepEarly(frame, data.length);
    else this.#refuseBeforeHello(frame.id);
  }

  onControl(): void {
    const nowMs = performance.now();
    this.connection.seenAt = nowMs;
    if (!this.#limits.takeControl(nowMs)) this.#close(closeCodes.policy, 'too many control frames');
  }

  /** Closes the connection once every frame is answered. Nothing more is read of it. */
  retire(code: number, reason: string): void {
    this.#frameQueue().retire(() => this.#close(code, reason));
  }

  onClose(): void {
    clearTimeout(this.#helloTimer);
    this.connection.markClosed();
    this.#queue?.clear();
    this.#host.hub.removeConnection(this.connection);
    if (this.#countedFor !== undefined) this.#host.userSockets.leave(this.#countedFor);
    this.#countedFor = undefined;
  }

  #close(code: number, reason: string): void {
    this.connection.close(code, reason);
  }

  #frameQueue(): FrameQueue {
    this.#queue ??= new FrameQueue({
      connection: this.connection,
      inFlightMax: this.#host.settings.inFlightPerSocket,
      deadlines: this.#host.deadlines,
      start: (work) => void this.#run(work),
    });
    return this.#queue;
  }

  // Hello.

  #refuseBeforeHello(id: string | number): void {
    this.#answerError(new Failure('unauthenticated', 'say hello first'), id);
    this.#close(closeCodes.unauthenticated, 'hello first');
  }

  /** A hello that is larger than `preAuthBytes`: its token is checked before anything else in it. */
  async #oversizeHello(frame: ClientFrame): Promise<void> {
    const { greeter, settings } = this.#host;
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
      this.#answerError(new BadFrame('hello was sent already'), frame.id);
      this.#close(closeCodes.unauthenticated, 'second hello');
      return;
    }
    this.#greeting = true;
    try {
      const user = await this.#authenticate(frame);
      if (isGone(connection)) return;
      await this.#countIn(user.userId);
      if (isGone(connection)) return;
      clearTimeout(this.#helloTimer);
      this.#helloTimer = undefined;
      this.#host.hub.addConnection(connection);
      await this.#host.greeter.welcome(connection, frame, () => this.#onWelcomed());
    } catch (error) {
      this.#refuseHello(linkFailure(error, false) ?? toFailure(error), frame.id);
    } finally {
      this.#greeting = false;
      // A socket that was paused for early frames must be read on, or the client's close frame is never seen.
      if (isGone(connection)) connection.socket.resume();
    }
  }

  /** A token in hello takes precedence over one on the upgrade. @throws Failure `invalid`, `unauthenticated`, `token_expired` */
  async #authenticate(frame: ClientFrame): Promise<ConnectionUser> {
    const { connection } = this;
    const { greeter } = this.#host;
    greeter.checkHello(frame);
    if (typeof frame.token === 'string') connection.user = await greeter.authenticate(frame.token);
    else if (connection.user) await greeter.confirm(connection.user);
    if (!connection.user) throw new Failure('unauthenticated', 'hello needs a token');
    if (connection.user.expiresAt <= Date.now()) throw new Failure('token_expired', 'the token has expired');
    return connection.user;
  }

  /** @throws Failure `rate_limited` */
  async #countIn(userId: string): Promise<void> {
    const { userSockets, settings } = this.#host;
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
    // Once the welcome was sent, hello has its answer.
    this.#answerError(failure, this.connection.state === 'greeting' ? id : undefined);
    if (failure.code === 'internal') this.#host.logger.error({ err: failure }, 'hello failed');
    if (failure.code === 'rate_limited') this.#close(closeCodes.rateLimited, 'too many sockets');
    else if (failure.kind.retryable) this.#close(closeCodes.restart, 'try again');
    else this.#close(closeCodes.unauthenticated, failure.code);
  }

  /** Keeps a frame until the welcome is out. The socket is paused when there are too many, or too much before authentication. */
  #keepEarly(frame: ClientFrame, bytes: number): void {
    const { preAuthBytes, inFlightPerSocket } = this.#host.settings;
    this.#early.push(frame);
    this.#earlyBytes += bytes;
    const isMuch = !this.connection.user && this.#earlyBytes > preAuthBytes;
    if (isMuch || this.#early.length >= inFlightPerSocket) this.connection.socket.pause();
  }

  /** Synchronous, and called before anything else is read: early frames keep their place before later ones. */
  #onWelcomed(): void {
    const early = this.#early;
    this.#early = [];
    this.connection.socket.resume();
    for (const each of early) if (!isGone(this.connection)) this.#dispatch(each);
  }

  // Frames.

  #dispatch(frame: ClientFrame): void {
    const { wakeGrace, settings } = this.#host;
    if (this.#held) {
      if (this.#held.length < settings.framesBurst) this.#held.push(frame);
      else this.#answerError(new Failure('rate_limited', 'too fast', { retryAfterMs: wakeGrace.graceMs }), frame.id);
    } else if (wakeGrace.isJustAwake()) {
      this.#held = [frame];
      setTimeout(() => this.#releaseHeld(), wakeGrace.graceMs);
    } else this.#handle(frame);
  }

  #releaseHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of held) if (isOpen(this.connection)) this.#handle(frame);
  }

  #handle(frame: ClientFrame): void {
    const { handlers, metrics, deadlines } = this.#host;
    const waitMs = this.#limits.takeFrame(frame.type, performance.now());
    if (waitMs > 0) {
      this.#refuseForRate(frame.id, waitMs);
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
    const work = this.#workOf(handler, frame);
    deadlines.add(work);
    this.#frameQueue().add(work);
  }

  #workOf(handler: FrameHandler, frame: ClientFrame): FrameWork {
    const work: FrameWork = {
      handler,
      frame,
      startedMs: performance.now(),
      giveUp: () => {
        const code = work.begun ? 'outcome_unknown' : 'unavailable';
        this.#answerError(new Failure(code, 'this took too long', { retryAfterMs: 1000 }), frame.id);
      },
      begun: false,
    };
    return work;
  }

  async #run(work: FrameWork): Promise<void> {
    const { connection } = this;
    const { greeter, deadlines, logger } = this.#host;
    const { handler, frame } = work;
    try {
      if (!confirmedElsewhere.has(frame.type)) await greeter.confirm(connection.user!);
      const ack = await handler.run({ connection, caller: connection.user! }, frame as never);
      if (deadlines.end(work)) connection.send({ type: 'ack', id: frame.id, ...ack });
    } catch (error) {
      const failure = linkFailure(error, true) ?? toFailure(error);
      if (failure.code === 'internal')
        logger.error({ err: error, frameType: frame.type }, 'a frame failed unexpectedly');
      if (deadlines.end(work)) this.#answerError(failure, frame.id);
    } finally {
      this.#queue!.end();
    }
  }

  // Errors.

  #refuseForRate(id: string | number, retryAfterMs: number): void {
    const isTooMuch = this.#limits.countRefused(performance.now());
    this.#answerError(new Failure('rate_limited', 'too fast', { retryAfterMs }), id);
    if (isTooMuch) this.#close(closeCodes.rateLimited, 'rate limited');
  }

  #answerBad(failure: Failure, id: string | number | undefined): void {
    const isTooMuch = this.#limits.countBad(performance.now());
    this.#answerError(failure, id);
    if (this.connection.state === 'greeting' && !this.#greeting) this.#close(closeCodes.unauthenticated, 'hello first');
    else if (isTooMuch) this.#close(closeCodes.policy, 'too many bad frames');
  }

  #answerError(failure: Failure, id: string | number | undefined): void {
    this.#host.metrics.errors.inc({ code: failure.code });
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
}
