/**
 * One open socket.
 *
 * States: greeting (no hello yet) → live (welcomed) → closing (a close code was sent or the peer left).
 * Bytes for a socket are gathered during one turn of the event loop and written once at its end (flush-scheduler.ts).
 * What a slow reader leaves unread is counted before anything is added: beyond the bound the socket is closed with
 * 4008 and the client resumes by seq, so a slow reader costs a bounded amount of memory and nobody's time.
 */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { DeploymentRole } from '../../permissions.ts';
import { frameText } from './frame-codec.ts';

/** Who the socket belongs to; set by hello, never changed to another user. */
export interface ConnectionUser {
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly role: DeploymentRole;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Of a host application's token, milliseconds since the epoch. */
  readonly issuedAt?: number;
}

export interface QueueBounds {
  readonly queueBytes: number;
  readonly queueEvents: number;
}

/** Close codes of the protocol. */
export const closeCodes = {
  goingAway: 1001,
  /** Never sent (RFC 6455 §7.4.1): the connection ended without a close frame. */
  abnormal: 1006,
  protocolBreach: 1002,
  invalidText: 1007,
  policy: 1008,
  tooLarge: 1009,
  restart: 1012,
  unauthenticated: 4001,
  helloTimeout: 4002,
  revoked: 4003,
  slowConsumer: 4008,
  rateLimited: 4029,
} as const;

/** A peer that takes nothing for longer is slow. */
const slowMs = 250;
/** Ephemeral frames that wait for a welcome; the oldest go first. */
const afterWelcomeMax = 64;
const nothing = Buffer.alloc(0);

export type ConnectionState = 'greeting' | 'live' | 'closing';

/** What a connection needs of its surroundings. */
export interface ConnectionHost {
  readonly bounds: QueueBounds;
  /** Has the bytes written at the end of this turn. */
  readonly touch: (connection: Connection) => void;
  readonly onClose: (code: number) => void;
  /** An event without a seq was not sent, because the reader is behind. */
  readonly onDrop: () => void;
}

export class Connection {
  state: ConnectionState = 'greeting';
  /** Memberships that began while the welcome was on its way; undefined once the rooms of the welcome are followed. */
  joinsMeanwhile: { readonly roomId: string; readonly seq: number }[] | undefined = [];
  /** Told when the peer is waited for that long that others had better not wait for it as well. */
  onSlow: (() => void) | undefined;
  user: ConnectionUser | undefined;
  /** Monotonic milliseconds of the last sign of life. */
  seenAt: number;
  readonly socket: WebSocket;
  readonly #raw: Socket;
  readonly #host: ConnectionHost;
  #out: Buffer | undefined;
  #more: Buffer[] | undefined;
  #outBytes = 0;
  #events = 0;
  /** Ephemeral frames for who is not welcomed yet: they may be newer than what the welcome says. */
  #afterWelcome: Buffer[] = [];

  constructor(socket: WebSocket, raw: Socket, host: ConnectionHost, nowMs: number) {
    this.socket = socket;
    this.#raw = raw;
    this.#host = host;
    this.seenAt = nowMs;
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.#raw.writableLength + this.#outBytes;
  }

  /**
   * Adds frames to this turn's write.
   * @param bytes one or more whole frames
   * @param events how many events they hold; 0 for answers
   * @returns false when the socket is gone or was closed for being slow
   */
  push(bytes: Buffer, events: number): boolean {
    if (this.state === 'closing') return false;
    const unread = this.#raw.writableLength;
    if (unread === 0 && this.#outBytes === 0) this.#events = 0;
    const { queueBytes, queueEvents } = this.#host.bounds;
    // A lone write of a turn may be as large as it must be; the bound is on what waits behind an unread one.
    if (unread > 0 && (unread + this.#outBytes + bytes.length > queueBytes || this.#events + events > queueEvents)) {
      this.close(closeCodes.slowConsumer, 'slow consumer');
      return false;
    }
    this.#events += events;
    this.#outBytes += bytes.length;
    if (this.#out === undefined) {
      this.#out = bytes;
      this.#host.touch(this);
    } else if (this.#more === undefined) this.#more = [bytes];
    else this.#more.push(bytes);
    return true;
  }

  /** Whether so much of a replay may be added: half of the bounds stays for what is live. A single event fits where nothing waits. */
  hasRoomFor(bytes: number, events: number): boolean {
    const queued = this.queuedBytes;
    if (queued === 0 && events <= 1) return true;
    const { queueBytes, queueEvents } = this.#host.bounds;
    const waiting = queued === 0 ? 0 : this.#events;
    return queued + bytes <= queueBytes / 2 && waiting + events <= queueEvents / 2;
  }

  /** The welcome was sent: what was kept back for its sake follows. */
  goLive(): void {
    if (this.state !== 'greeting') return;
    this.state = 'live';
    for (const bytes of this.#afterWelcome) this.pushEphemeral(bytes);
    this.#afterWelcome = [];
  }

  /** Ephemeral frames are the first to go when a reader is behind. */
  pushEphemeral(bytes: Buffer): void {
    if (this.state === 'greeting') {
      this.#afterWelcome.push(bytes);
      if (this.#afterWelcome.length <= afterWelcomeMax) return;
      this.#afterWelcome.shift();
      this.#host.onDrop();
    } else if (this.#raw.writableLength < this.#host.bounds.queueBytes / 8) this.push(bytes, 0);
    else this.#host.onDrop();
  }

  send(value: unknown): void {
    this.push(frameText(JSON.stringify(value)), 0);
  }

  /** Writes what this turn gathered: one system call's worth, however many frames. */
  flush(): void {
    const first = this.#out;
    if (first === undefined) return;
    const more = this.#more;
    this.#out = undefined;
    this.#more = undefined;
    this.#outBytes = 0;
    if (this.#raw.destroyed) return;
    if (more === undefined) {
      this.#raw.write(first);
      return;
    }
    this.#raw.cork();
    this.#raw.write(first);
    for (const bytes of more) this.#raw.write(bytes);
    this.#raw.uncork();
  }

  /** Resolves when the peer has taken what was written until now, or is gone. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#raw.writableLength === 0) return;
    // On its way out: its close is told in a moment.
    if (this.#raw.destroyed || this.#raw.writableEnded) return pause(50);
    const slow = setTimeout(() => this.onSlow?.(), slowMs);
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#raw.off('close', done);
        resolve();
      };
      this.#raw.on('close', done);
      // Called when everything before it was taken.
      this.#raw.write(nothing, done);
    });
    clearTimeout(slow);
  }

  /** Says goodbye and takes nothing more; `ws` ends the socket itself when the peer does not answer in time. */
  close(code: number, reason: string): void {
    if (this.state === 'closing') return;
    this.#host.onClose(code);
    // What a login that has ended did not get yet it does not get any more.
    if (code === closeCodes.revoked) this.#discard();
    else this.flush();
    this.state = 'closing';
    if (code === closeCodes.slowConsumer) {
      // The close frame would wait behind what is unread: say it if there is room, and let go soon either way.
      this.socket.close(code, reason);
      setTimeout(() => this.socket.terminate(), 1000).unref();
      return;
    }
    this.socket.close(code, reason);
  }

  /** The peer is silent, or no longer of interest: ends without a goodbye. */
  terminate(): void {
    if (this.state !== 'closing') this.#host.onClose(closeCodes.abnormal);
    this.markClosed();
    this.socket.terminate();
  }

  /** The peer has gone. */
  markClosed(): void {
    this.state = 'closing';
    this.#discard();
  }

  #discard(): void {
    this.#out = undefined;
    this.#more = undefined;
    this.#outBytes = 0;
    this.#afterWelcome = [];
  }
}

/** Whether the peer is there, as far as is known. */
export function isOpen({ state, socket }: Connection): boolean {
  return state !== 'closing' && socket.readyState === socket.OPEN;
}

/** Whether nothing reaches the peer any more; a question of its own, because the state changes while others are awaited. */
export function isGone(connection: Connection): boolean {
  return connection.state === 'closing';
}
