/**
 * What a client may do to an HTTP/2 connection. A stream costs its sender a few bytes and the server a call; clients that reset them
 * as fast as they open them (CVE-2023-44487), make the server reset them (CVE-2025-8671), or send PING and SETTINGS without end are
 * cut off. Calls begin in slices between which other work gets its turn, and a call that was reset before that never begins.
 */
import { constants, type Http2ServerRequest, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { TokenBucket } from '../../http/limits/token-bucket.ts';

export interface SessionLimits {
  /** Streams of one connection that may end in a reset, per second and at once. */
  readonly resetsPerSecond: number;
  readonly resetsBurst: number;
  /** PING and SETTINGS frames of one connection, per second and at once. */
  readonly controlFramesPerSecond: number;
  readonly controlFramesBurst: number;
  /** A connection was cut off. */
  readonly onCutOff?: (reason: 'resets' | 'control frames') => void;
}

export interface SessionGuard {
  readonly watch: (session: ServerHttp2Session, socket: Socket) => void;
  /** Calls the handler in its turn, unless the stream has ended before. */
  readonly begin: <Request extends Http2ServerRequest, Response>(
    request: Request,
    response: Response,
    handler: (request: Request, response: Response) => void,
  ) => void;
  /** From now on requests that do not arrive whole in this time, counted from their start, are reset. */
  readonly limitRequests: (timeoutMs: number) => void;
}

/** Calls begun in one turn of the event loop: some milliseconds of work. */
const beginsPerTurn = 16;

export function createSessionGuard(limits: SessionLimits): SessionGuard {
  const streams = new Map<ServerHttp2Stream, number>();
  const waiting: { readonly stream: ServerHttp2Stream; readonly start: () => void }[] = [];
  let requestTimeoutMs: number | undefined;
  let planned = false;

  function watch(session: ServerHttp2Session, socket: Socket): void {
    const nowMs = performance.now();
    const resets = new TokenBucket(limits.resetsPerSecond, limits.resetsBurst, nowMs);
    const controls = new TokenBucket(limits.controlFramesPerSecond, limits.controlFramesBurst, nowMs);
    let isCutOff = false;

    function spend(bucket: TokenBucket, reason: 'resets' | 'control frames'): void {
      if (isCutOff || bucket.take(performance.now()) === 0) return;
      isCutOff = true;
      limits.onCutOff?.(reason);
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      // What is still in the buffers of a flood is not worth reading.
      socket.destroy();
    }

    session.on('stream', (stream) => {
      streams.set(stream, performance.now());
      stream.once('close', () => {
        streams.delete(stream);
        // All streams end with their connection.
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && !session.destroyed) spend(resets, 'resets');
      });
      if (requestTimeoutMs !== undefined) limitRequest(stream, requestTimeoutMs);
    });
    session.on('ping', () => spend(controls, 'control frames'));
    session.on('remoteSettings', () => spend(controls, 'control frames'));
  }

  function turn(): void {
    planned = false;
    for (let begun = 0; begun < beginsPerTurn; ) {
      const next = waiting.shift();
      if (!next) return;
      if (next.stream.destroyed || next.stream.aborted) continue;
      next.start();
      begun++;
    }
    plan();
  }

  function plan(): void {
    if (planned || waiting.length === 0) return;
    planned = true;
    setImmediate(turn);
  }

  function limitRequest(stream: ServerHttp2Stream, timeoutMs: number): void {
    const nowMs = performance.now();
    const ownMs = (streams.get(stream) ?? nowMs) + timeoutMs;
    // A stream that has been open for longer is a long call, not a slow request: it ends with the drain of its service.
    const dueMs = ownMs > nowMs ? ownMs : nowMs + timeoutMs;
    const timer = setTimeout(() => {
      if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
    }, dueMs - nowMs);
    stream.once('close', () => clearTimeout(timer));
  }

  return {
    watch,
    begin: (request, response, handler) => {
      const { stream } = request;
      waiting.push({ stream, start: () => handler(request, response) });
      plan();
    },
    limitRequests: (timeoutMs) => {
      requestTimeoutMs = timeoutMs;
      for (const stream of streams.keys()) limitRequest(stream, timeoutMs);
    },
  };
}
