/**
 * One open socket.
 *
 * States: greeting (no welcome yet) → live (welcomed) → closing (a close code was sent or the client left).
 * Bytes for a socket are gathered during one tick of the event loop and written once at its end (flush-scheduler.ts). Unread bytes are
 * counted before anything is added. Beyond the bound the socket is closed with 4008 and the client resumes by seq, so a slow reader
 * costs a bounded amount of memory and delays nobody.
 */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { DeploymentRole } from '../../permissions.ts';
import { frameText } from './frame-codec.ts';

/** The user of a connection. Set by hello, never changed to another user. */
export interface ConnectionUser {
  readonly userId: string;
  readonly sessionId: string | undefined;
  readonly role: DeploymentRole;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** When a host application issued the token, milliseconds since 1970. */
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

/** A client that reads nothing for longer is slow. */
const slowMs = 250;
/** Ephemeral frames that wait for a welcome at most. Beyond that the oldest are dropped. */
const afterWelcomeMax = 64;
const nothing = Buffer.alloc(0);

export type ConnectionState = 'greeting' | 'live' | 'closing';

/** What a connection needs of the process. */
export interface ConnectionHost {
  readonly bounds: QueueBounds;
  /** Schedules the write of the gathered bytes at the end of this tick. */
  readonly touch: (connection: Connection) => void;
  readonly onClose: (code: number) => void;
  /** An ephemeral frame was dropped because the reader is behind. */
  readonly onDrop: () => void;
}

export class Connection {
  state: ConnectionState = 'greeting';
  /** Memberships that began since the snapshot of the welcome; undefined once the rooms of the welcome are followed. */
  earlyJoins: { readonly roomId: string; readonly seq: number }[] | undefined = [];
  /** Called when the client is slow to read, so that other connections need not wait for it. */
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
  /** Ephemeral frames that came before the welcome. They are sent after it, because they may be newer. */
  #afterWelcome: Buffer[] = [];

  constructor(socket: WebSocket, raw: Socket, host: ConnectionHost, nowMs: number) {
    this.socket = socket;
    this.#raw = raw;
    this.#host = host;
    this.seenAt = nowMs;
  }

  /** Bytes that the client has not read yet. */
  get queuedBytes(): number {
    return this.#raw.writableLength + this.#outBytes;
  }

  /**
   * Adds frames to this tick's write.
   * @param bytes one or more whole frames
   * @param events how many events they are; 0 for answers
   * @returns false if the socket is gone or was closed for being slow
   */
  push(bytes: Buffer, events: number): boolean {
    if (this.state === 'closing') return false;
    const unread = this.#raw.writableLength;
    if (unread === 0 && this.#outBytes === 0) this.#events = 0;
    const { queueBytes, queueEvents } = this.#host.bounds;
    // The first write may be as large as it must be. The bound is on what waits behind unread bytes.
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

  /** Whether this much of a replay may be added. Half of the bounds stays free for live events. A single event always fits if nothing waits. */
  hasRoomFor(bytes: number, events: number): boolean {
    const queued = this.queuedBytes;
    if (queued === 0 && events <= 1) return true;
    const { queueBytes, queueEvents } = this.#host.bounds;
    const waiting = queued === 0 ? 0 : this.#events;
    return queued + bytes <= queueBytes / 2 && waiting + events <= queueEvents / 2;
  }

  /** The welcome was sent: sends the ephemeral frames that waited for it. */
  goLive(): void {
    if (this.state !== 'greeting') return;
    this.state = 'live';
    for (const bytes of this.#afterWelcome) this.pushEphemeral(bytes);
    this.#afterWelcome = [];
  }

  /** Adds a frame without a seq. It is dropped if the reader is behind. @returns whether the frame was taken */
  pushEphemeral(bytes: Buffer): boolean {
    if (this.state === 'greeting') {
      this.#afterWelcome.push(bytes);
      if (this.#afterWelcome.length <= afterWelcomeMax) return true;
      this.#afterWelcome.shift();
      this.#host.onDrop();
      return true;
    }
    if (this.#raw.writableLength < this.#host.bounds.queueBytes / 8) return this.push(bytes, 0);
    this.#host.onDrop();
    return false;
  }

  send(value: unknown): void {
    this.push(frameText(JSON.stringify(value)), 0);
  }

  /** Writes the bytes gathered in this tick with one system call. */
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

  /** Resolves when the client has read everything written until now, or is gone. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#raw.writableLength === 0) return;
    // The socket is closing: its close event comes in a moment.
    if (this.#raw.destroyed || this.#raw.writableEnded) return pause(50);
    const slow = setTimeout(() => this.onSlow?.(), slowMs);
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#raw.off('close', done);
        resolve();
      };
      this.#raw.on('close', done);
      // The callback runs when everything before it was read.
      this.#raw.write(nothing, done);
    });
    clearTimeout(slow);
  }

  /** Sends a close frame; nothing can be added afterwards. `ws` destroys the socket if the client does not answer in time. */
  close(code: number, reason: string): void {
    if (this.state === 'closing') return;
    this.#host.onClose(code);
    // Queued frames must not reach a session that has ended.
    if (code === closeCodes.revoked) this.#discard();
    else this.flush();
    this.state = 'closing';
    if (code === closeCodes.slowConsumer) {
      // The close frame waits behind unread bytes, which may never be read: destroy the socket soon in any case.
      this.socket.close(code, reason);
      setTimeout(() => this.socket.terminate(), 1000).unref();
      return;
    }
    this.socket.close(code, reason);
  }

  /** Destroys the socket without a close frame, because the client is silent. */
  terminate(): void {
    if (this.state !== 'closing') this.#host.onClose(closeCodes.abnormal);
    this.markClosed();
    this.socket.terminate();
  }

  /** The socket has closed. */
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

/** Whether the client is connected, as far as is known. */
export function isOpen({ state, socket }: Connection): boolean {
  return state !== 'closing' && socket.readyState === socket.OPEN;
}

/** Whether nothing can be sent any more. A function, because TypeScript would narrow `state` over an await. */
export function isGone(connection: Connection): boolean {
  return connection.state === 'closing';
}
