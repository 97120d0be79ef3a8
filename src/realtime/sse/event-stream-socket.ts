/**
 * An event stream in the shape of a WebSocket, so that everything about connections holds for it as it is: bounds, authorization,
 * resume, fan-out, slow readers, drains. What a connection writes are WebSocket frames, made once for all readers; here each is
 * written as one event. Nothing comes from the reader.
 *
 * States: open → closing (the reason was written; the rest of the response is on its way) → closed.
 */
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { StreamCursor, type StreamFrame, type StreamPosition } from './event-stream-cursor.ts';

/** How long a reader may take to read the end of the stream. */
const closeTimeoutMs = 5000;
/** The id of the last event is told this often at most: it names all rooms. */
const cursorPauseMs = 2000;

export interface EventStreamOptions {
  readonly response: ServerResponse;
  readonly start: StreamPosition | undefined;
  /** Each write is filled up to this many bytes, so that a proxy that gathers bytes passes it on. */
  readonly paddingBytes: number;
}

/** The part of `ws` that connections use. */
export class EventStreamSocket extends EventEmitter {
  readonly OPEN = 1;
  readonly raw: EventStreamWriter;
  readonly #response: ServerResponse;

  constructor(options: EventStreamOptions) {
    super();
    this.#response = options.response;
    this.raw = new EventStreamWriter(options);
    this.#response.once('close', () => {
      this.raw.end();
      this.emit('close');
    });
    this.#response.on('error', (error) => this.emit('error', error));
  }

  get readyState(): number {
    return this.#response.destroyed || this.#response.writableEnded ? 3 : 1;
  }

  /** A reader answers nothing. That the network took the ping has to do. */
  ping(): void {
    this.raw.writeComment('ping', () => this.emit('pong'));
  }

  close(code: number, reason: string): void {
    if (this.readyState !== this.OPEN) return;
    this.raw.writeClose(code, reason);
    this.#response.end();
    setTimeout(() => this.terminate(), closeTimeoutMs).unref();
  }

  terminate(): void {
    this.#response.destroy();
  }

  /** Nothing is read, so nothing can be held back. */
  pause(): void {}
  resume(): void {}
}

/** The part of a TCP socket that connections write to. */
export class EventStreamWriter {
  readonly #response: ServerResponse;
  readonly #paddingBytes: number;
  readonly #cursor: StreamCursor;
  #cursorTimer: NodeJS.Timeout | undefined;

  constructor({ response, start, paddingBytes }: EventStreamOptions) {
    this.#response = response;
    this.#paddingBytes = paddingBytes;
    this.#cursor = new StreamCursor(start);
  }

  get writableLength(): number {
    return this.#response.writableLength;
  }

  get destroyed(): boolean {
    return this.#response.destroyed;
  }

  get writableEnded(): boolean {
    return this.#response.writableEnded;
  }

  cork(): void {
    this.#response.cork();
  }

  uncork(): void {
    this.#response.uncork();
  }

  on(event: 'close', listener: () => void): void {
    this.#response.on(event, listener);
  }

  off(event: 'close', listener: () => void): void {
    this.#response.off(event, listener);
  }

  /** @param bytes whole WebSocket frames; none: `done` is called once everything before was sent */
  write(bytes: Buffer, done?: () => void): void {
    if (this.writableEnded || this.destroyed) {
      done?.();
      return;
    }
    const text = readPayloads(bytes).map((json) => this.#toEvent(json));
    this.#response.write(this.#padded(text.join('')) || ':\n\n', () => done?.());
  }

  writeComment(text: string, done: () => void): void {
    if (!this.writableEnded && !this.destroyed) this.#response.write(this.#padded(`: ${text}\n\n`), () => done());
  }

  writeClose(code: number, reason: string): void {
    this.#writeCursor();
    this.#response.write(this.#padded(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`));
  }

  end(): void {
    clearTimeout(this.#cursorTimer);
  }

  #toEvent(json: string): string {
    if (this.#cursor.take(JSON.parse(json) as StreamFrame))
      this.#cursorTimer ??= setTimeout(() => {
        this.#cursorTimer = undefined;
        this.#writeCursor();
      }, cursorPauseMs).unref();
    return `data: ${json}\n\n`;
  }

  /** An id alone is no event for the page, but the browser remembers it. */
  #writeCursor(): void {
    const cursor = this.#cursor.text();
    if (cursor !== undefined && !this.writableEnded && !this.destroyed)
      this.#response.write(this.#padded(`id: ${cursor}\n\n`));
  }

  #padded(text: string): string {
    const missing = this.#paddingBytes - Buffer.byteLength(text);
    return text === '' || missing <= 0 ? text : `${text}:${' '.repeat(missing)}\n\n`;
  }
}

/** The texts of unmasked frames without fragments (RFC 6455 §5.2), as frame-codec.ts makes them. */
export function readPayloads(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1]! & 0x7f;
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    texts.push(bytes.toString('utf8', at + header, at + header + length));
    at += header + length;
  }
  return texts;
}
