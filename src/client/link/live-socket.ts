/**
 * A connection that reconnects and resumes by itself.
 *
 * States: off → connecting → live. A lost connection or a failed attempt leads to waiting, and from there to connecting again. Each
 * room's events are passed on in seq order, each once. Where that is impossible the room is reset.
 */

import { ParleyError } from '../parley-error.ts';
import type { RoomEvent, ServerFrame, WelcomeRoom } from '../types.ts';
import { backoffMs } from './backoff.ts';
import { createLogPosition, type LogPosition } from './log-position.ts';
import { createPendingRequests } from './pending-requests.ts';
import type { OpenTransport, Transport, TransportName } from './transport.ts';

export type SocketState =
  | { readonly name: 'off' }
  | { readonly name: 'connecting' }
  /** `transport`: `websocket` where it is left out. */
  | { readonly name: 'live'; readonly transport?: TransportName }
  /** `reason`: why the server refuses connections of this page. Attempts go on all the same. */
  | { readonly name: 'waiting'; readonly untilMs: number; readonly reason?: string };

export interface Welcome {
  readonly user: Readonly<Record<string, unknown>>;
  readonly rooms: readonly WelcomeRoom[];
  /** The users that the user blocks; older servers leave it out. */
  readonly blockedIds?: readonly string[];
  /** The most code points of a message; older servers leave it out. */
  readonly messageLengthMax?: number;
}

export interface SocketListener {
  readonly onState: (state: SocketState) => void;
  /** The rooms as of now; their events follow. */
  readonly onWelcome: (welcome: Welcome) => void;
  readonly onEvent: (event: RoomEvent) => void;
  /** Events were left out: read the history of the room again. Live events go on after `seq`. */
  readonly onReset: (roomId: string, seq: number) => void;
  /** `typing`, `read.updated`, `room.joined`, `room.left`, `notice`. */
  readonly onSignal: (frame: ServerFrame) => void;
  /** The login has ended. */
  readonly onEnd: () => void;
}

export interface LiveSocketOptions {
  readonly open: OpenTransport;
  readonly token: () => Promise<string>;
  /** Exchanges a refused token for another one. */
  readonly renew: (refused: string) => Promise<string>;
  /** In how many milliseconds `token` will give another one; infinite where that is not known. */
  readonly dueInMs?: () => number;
  /** Why the server refuses connections of this page; undefined where it does not, or cannot be reached. */
  readonly explain: () => Promise<string | undefined>;
  readonly listener: SocketListener;
  /** Where each room is, if a connection before this one knows; default: nowhere. */
  readonly position?: LogPosition;
}

interface WelcomeFrame extends ServerFrame, Welcome {
  readonly logId: string;
  readonly heartbeatMs: number;
}

/** Makes a connection that tells the listener; by `position` it goes on where another one was. */
export type MakeLink = (listener: SocketListener, position?: LogPosition) => Link;

/** Close codes after which only a new login helps. */
const finalCloses = new Set([1008, 4001, 4003]);
const answerTimeoutMs = 10_000;
/** The shortest pause before a token is asked for again. */
const dueMinMs = 500;
/** A connection or an attempt that the device's sleep may have ended has to answer within this time. */
const probeTimeoutMs = 3000;

/** A connection of this tab, or of the tab that connects for all. */
export interface Link {
  readonly state: SocketState;
  start(): void;
  stop(): void;
  wake(): void;
  ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame>;
}

export class LiveSocket implements Link {
  readonly #options: LiveSocketOptions;
  readonly #requests = createPendingRequests();
  readonly #position: LogPosition;
  #state: SocketState = { name: 'off' };
  #socket: Transport | undefined;
  /** Counts attempts and stops. After an await, another number means that a later one has taken over. */
  #round = 0;
  #attemptedAtMs = 0;
  #failedAttempts = 0;
  /** The pause before the next attempt that the server asked for. */
  #askedMs = 0;
  #usedToken = '';
  #isTokenRenewed = false;
  #isProbing = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LiveSocketOptions) {
    this.#options = options;
    this.#position = options.position ?? createLogPosition();
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Connects; while it waits for the next attempt, at once. */
  start(): void {
    // The user may have logged in again meanwhile.
    if (this.#state.name === 'off') this.#isTokenRenewed = false;
    if (this.#state.name === 'off' || this.#state.name === 'waiting') void this.#connect();
  }

  stop(): void {
    this.#round += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#heartbeat);
    const open = this.#socket;
    this.#socket = undefined;
    // Where it was given, another connection may go on from there.
    if (!this.#options.position) this.#position.clear();
    this.#become({ name: 'off' });
    open?.close(1000);
  }

  /**
   * The device woke up or changed its network. Connects at once when it waits for the next attempt, and replaces a connection that does
   * not answer any more: neither the browser nor the server may report its end for a long time.
   */
  wake(): void {
    // An attempt from before may wait for a network that is gone.
    const isStuck = this.#state.name === 'connecting' && Date.now() - this.#attemptedAtMs > probeTimeoutMs;
    if (isStuck && this.#socket) this.#drop(this.#socket);
    if (this.#state.name === 'waiting') this.start();
    else if (this.#state.name === 'live' && this.#socket && !this.#isProbing) void this.#probe(this.#socket);
  }

  /** Sends a frame. @returns its answer. @throws ParleyError; `offline` when no answer came */
  async ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    if (this.#state.name !== 'live' || !this.#socket) throw new ParleyError('offline', 'not connected');
    return this.#send(this.#socket, frame);
  }

  #become(next: SocketState): void {
    this.#state = next;
    this.#options.listener.onState(next);
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#round += 1;
    const round = this.#round;
    this.#become({ name: 'connecting' });
    try {
      this.#usedToken = await this.#options.token();
    } catch (error) {
      if (round === this.#round) this.#retryOrEnd(error);
      return;
    }
    if (round === this.#round) this.#open();
  }

  #open(): void {
    this.#attemptedAtMs = Date.now();
    const opened = this.#options.open(this.#usedToken);
    this.#socket = opened;
    // Where nothing answers, the browser may report neither an opening nor an error for minutes.
    const timer = setTimeout(() => this.#drop(opened), answerTimeoutMs);
    let isOpen = false;
    opened.onopen = () => {
      isOpen = true;
      clearTimeout(timer);
      void this.#hello(opened);
    };
    opened.onmessage = ({ data }) => {
      if (this.#socket === opened) this.#receive(JSON.parse(String(data)) as ServerFrame);
    };
    opened.onclose = ({ code }) => {
      clearTimeout(timer);
      if (this.#socket !== opened) return;
      this.#closed(code);
      if (!isOpen) void this.#findReason();
    };
  }

  /** Finds out why an upgrade was refused: browsers do not say it, but REST does. */
  async #findReason(): Promise<void> {
    const reason = await this.#options.explain().catch(() => undefined);
    if (this.#state.name === 'waiting' && reason !== undefined) this.#become({ ...this.#state, reason });
  }

  /** Gives a connection up at once: its own close may wait long for an answer. */
  #drop(dropped: Transport): void {
    if (this.#socket !== dropped) return;
    dropped.close();
    this.#closed(1006);
  }

  async #hello(opened: Transport): Promise<void> {
    const resume = this.#position.resume();
    try {
      await this.#send(opened, { type: 'hello', token: this.#usedToken, ...(resume ? { resume } : {}) });
    } catch (error) {
      if (!(error instanceof ParleyError)) return;
      this.#askedMs = Math.max(this.#askedMs, error.retryAfterMs ?? 0);
      // After a refusal the server closes and says why; after silence it does not.
      if (error.code === 'offline') this.#drop(opened);
    }
  }

  #welcomed({ rooms, user, blockedIds = [], messageLengthMax, heartbeatMs, logId }: WelcomeFrame): void {
    const { listener } = this.#options;
    this.#failedAttempts = 0;
    this.#askedMs = 0;
    this.#isTokenRenewed = false;
    const resets = this.#position.welcome(logId, rooms);
    listener.onWelcome({ user, rooms, blockedIds, ...(messageLengthMax === undefined ? {} : { messageLengthMax }) });
    for (const { roomId, seq } of resets) listener.onReset(roomId, seq);
    const live = this.#socket!;
    const { transport } = live;
    this.#become(transport === undefined ? { name: 'live' } : { name: 'live', transport });
    this.#beatLater(live, heartbeatMs);
  }

  /** The next sign of life, or sooner when another token is due. */
  #beatLater(live: Transport, heartbeatMs: number): void {
    clearTimeout(this.#heartbeat);
    const dueMs = Math.max(dueMinMs, this.#options.dueInMs?.() ?? heartbeatMs);
    const beat = async () => {
      try {
        await this.#keepAlive();
        if (this.#socket === live) this.#beatLater(live, heartbeatMs);
      } catch {
        this.#drop(live);
      }
    };
    this.#heartbeat = setTimeout(() => void beat(), Math.min(heartbeatMs, dueMs));
  }

  /** Sends a sign of life, and a newer token once there is one, so that the connection outlives the token it began with. */
  async #keepAlive(): Promise<void> {
    const newest = await this.#options.token().catch(() => this.#usedToken);
    if (newest === this.#usedToken) await this.ask({ type: 'ping' });
    else await this.ask({ type: 'refresh', token: newest });
    this.#usedToken = newest;
  }

  async #probe(live: Transport): Promise<void> {
    this.#isProbing = true;
    try {
      await this.#send(live, { type: 'ping' }, probeTimeoutMs);
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'offline') this.#drop(live);
    } finally {
      this.#isProbing = false;
    }
  }

  #receive(frame: ServerFrame): void {
    const { listener } = this.#options;
    if (this.#requests.settle(frame)) {
      // Now, not once the promise is resumed: the events after it may be in the same packet.
      if (isWelcome(frame)) this.#welcomed(frame);
    } else if (isEvent(frame)) this.#takeEvent(frame);
    else if (frame.type === 'room.reset' && frame.roomId !== undefined) {
      const { roomId, seq = 0 } = frame;
      this.#position.reset({ roomId, seq });
      listener.onReset(roomId, seq);
    } else {
      if (frame.type === 'room.left' && frame.roomId !== undefined) this.#position.leave(frame.roomId);
      if (frame.type === 'notice' && frame.retryAfterMs !== undefined) this.#askedMs = frame.retryAfterMs;
      listener.onSignal(frame);
    }
  }

  #takeEvent(event: RoomEvent): void {
    const follows = this.#position.take(event);
    if (follows === 'next') this.#options.listener.onEvent(event);
    // Never a silent gap: the next connection resumes from where everything was complete.
    else if (follows === 'gap') this.#drop(this.#socket!);
  }

  #send(
    socket: Transport,
    frame: Readonly<Record<string, unknown>>,
    timeoutMs = answerTimeoutMs,
  ): Promise<ServerFrame> {
    return this.#requests.add((id) => socket.send(JSON.stringify({ ...frame, id })), timeoutMs);
  }

  #closed(code: number): void {
    this.#socket = undefined;
    clearTimeout(this.#heartbeat);
    this.#requests.failAll();
    if (this.#state.name === 'off') return;
    // A token may end while it is in use: one attempt with another.
    if (code === 4001 && !this.#isTokenRenewed) void this.#renewAndConnect();
    else if (finalCloses.has(code)) this.#end();
    else this.#retryLater();
  }

  async #renewAndConnect(): Promise<void> {
    const round = this.#round;
    this.#isTokenRenewed = true;
    try {
      await this.#options.renew(this.#usedToken);
    } catch (error) {
      if (round === this.#round) this.#retryOrEnd(error);
      return;
    }
    if (round === this.#round) await this.#connect();
  }

  #retryOrEnd(error: unknown): void {
    if (error instanceof ParleyError && error.retryable) this.#retryLater();
    else this.#end();
  }

  #retryLater(): void {
    const pauseMs = backoffMs(this.#failedAttempts, this.#askedMs);
    this.#failedAttempts += 1;
    this.#askedMs = 0;
    this.#become({ name: 'waiting', untilMs: Date.now() + pauseMs });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#connect(), pauseMs);
  }

  #end(): void {
    this.stop();
    this.#options.listener.onEnd();
  }
}

function isWelcome(frame: ServerFrame): frame is WelcomeFrame {
  return frame.type === 'welcome';
}

/** Whether the frame is an event of a room's log: nothing else but `room.reset` has a seq. */
function isEvent(frame: ServerFrame): frame is ServerFrame & RoomEvent {
  return frame.type !== 'room.reset' && frame.roomId !== undefined && frame.seq !== undefined;
}
