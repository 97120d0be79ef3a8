/**
 * Protects the server from floods on an HTTP/2 connection. A stream costs its sender a few bytes and the server a call. Connections
 * are closed if the client resets streams as fast as it opens them (CVE-2023-44487), makes the server reset them
 * (CVE-2025-8671), or floods it with PING or SETTINGS. Calls begin in slices, with other work between them, and a call that was
 * reset before its slice never begins.
 */
import { constants, type Http2ServerRequest, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { TokenBucket } from '../../http/limits/token-bucket.ts';

export interface SessionLimits {
  /** Streams of one connection that may end in a reset: rate per second, and burst. */
  readonly resetsPerSecond: number;
  readonly resetsBurst: number;
  /** PING and SETTINGS frames of one connection: rate per second, and burst. */
  readonly controlFramesPerSecond: number;
  readonly controlFramesBurst: number;
  /** A connection was closed for a flood. */
  readonly onCutOff?: (reason: 'resets' | 'control frames') => void;
}

export interface SessionGuard {
  readonly watch: (session: ServerHttp2Session, socket: Socket) => void;
  /** Calls the handler in a later slice, unless the stream has ended before. */
  readonly begin: <Request extends Http2ServerRequest, Response>(
    request: Request,
    response: Response,
    handler: (request: Request, response: Response) => void,
  ) => void;
  /** From now on, requests that have not arrived completely within this time of their start are reset. */
  readonly limitRequests: (timeoutMs: number) => void;
}

/** Calls that begin in one tick of the event loop: a few milliseconds of work. */
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
      // Do not read what is left in the buffers of a flood.
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
    // A stream that has been open for longer is a long call, not a slow request: it ends when its service drains.
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
