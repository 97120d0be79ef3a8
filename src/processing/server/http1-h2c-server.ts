/**
 * One TCP port for HTTP/1.1 (Connect, gRPC-Web, health, metrics) and HTTP/2 with prior knowledge (gRPC). The first bytes
 * of a connection decide: HTTP/2 begins with the preface of RFC 9113 §3.4, and no HTTP/1 method begins with "PRI".
 */
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { connectNodeAdapter } from '@connectrpc/connect-node';
import { type Connections, createConnections } from '../../http/server/connections.ts';
import { connectionWindowBytes, frameBytes, streamWindowBytes } from '../http2-sizes.ts';
import { createSessionGuard, type SessionLimits } from './http2-flood-guard.ts';

/** Requests and responses of either protocol, as Connect's adapter types them. */
export type AnyRequest = Parameters<RpcHandler>[0];
export type AnyResponse = Parameters<RpcHandler>[1];
type RpcHandler = ReturnType<typeof connectNodeAdapter>;

export interface Http1H2cServerOptions {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  readonly handler: (request: AnyRequest, response: AnyResponse) => void;
  /** Longest time until the first bytes of a connection, and the headers of a request, have arrived. */
  readonly headersTimeoutMs: number;
  /** Longest time until an HTTP/1.1 request has arrived completely. */
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  /** Most concurrent HTTP/2 streams of one connection. */
  readonly streamsMax: number;
  /** Interval of PING frames on HTTP/2 connections. A connection that has not answered by the next PING is closed. */
  readonly pingEveryMs: number;
  /** Limits of an HTTP/2 connection, beyond which it is closed. */
  readonly session: SessionLimits;
}

export interface Http1H2cServer {
  readonly port: number;
  /** Takes no new connections or requests. Resolves when the open ones are done, or closes them at the deadline. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

const prefaceStart = Buffer.from('PRI');

/** Listens; rejects when the address is taken. */
export async function startHttp1H2cServer(options: Http1H2cServerOptions): Promise<Http1H2cServer> {
  const connections = createConnections({ ...options, onRequestTimeout: refuseLate });
  const http1 = createHttp1(options, connections);
  const http2 = createHttp2(options);
  /** Connections whose protocol is not known yet. */
  const unclear = new Set<Socket>();

  // The HTTP/1.1 server listens, so that its own timeouts work. Its connection listener is called directly.
  const [serveHttp1] = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket) => {
    unclear.add(socket);
    socket.once('close', () => unclear.delete(socket));
    sniff(socket, options.headersTimeoutMs, (isHttp2) => {
      unclear.delete(socket);
      if (isHttp2) return http2.serve(socket);
      connections.add(socket);
      serveHttp1?.call(http1, socket);
    });
  });

  const listening = Promise.withResolvers<void>();
  http1.once('error', listening.reject);
  http1.listen(options.port, options.host, listening.resolve);
  await listening.promise;
  http1.off('error', listening.reject);

  return {
    port: (http1.address() as AddressInfo).port,
    stop: async (deadlineMs) => {
      const closed = new Promise<void>((resolve) => http1.close(() => resolve()));
      for (const socket of unclear) socket.destroy();
      connections.drain();
      http2.drain();
      const timer = setTimeout(() => {
        http2.destroyAll();
        connections.destroyAll();
      }, deadlineMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function refuseLate(socket: Socket): void {
  if (socket.writable) socket.end('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n', () => socket.destroy());
  else socket.destroy();
}

function createHttp1(options: Http1H2cServerOptions, connections: Connections): Server {
  const { handler } = options;
  const http1 = createServer(
    {
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, options.headersTimeoutMs),
      maxHeaderSize: 16_384,
    },
    (request, response) => connections.begin(request, response, () => handler(request, response)),
  );
  http1.on('clientError', (error: Error & { code?: string }, socket: Socket) =>
    connections.refuse(socket, () => {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') refuseLate(socket);
      else if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
      else socket.destroy();
    }),
  );
  http1.maxConnections = options.connectionsMax;
  http1.maxHeadersCount = 100;
  return http1;
}

interface Http2 {
  readonly serve: (socket: Socket) => void;
  /** Takes no new streams. Ends each connection after its last stream, and streams whose request does not arrive. */
  readonly drain: () => void;
  readonly destroyAll: () => void;
}

function createHttp2(options: Http1H2cServerOptions): Http2 {
  const guard = createSessionGuard(options.session);
  const http2 = createHttp2Server(
    {
      settings: {
        maxConcurrentStreams: options.streamsMax,
        enablePush: false,
        initialWindowSize: streamWindowBytes,
        maxFrameSize: frameBytes,
      },
      maxSessionMemory: 64,
      streamResetBurst: options.session.resetsBurst,
      streamResetRate: options.session.resetsPerSecond,
    },
    (request, response) => guard.begin(request, response, options.handler),
  );
  const sockets = new Map<Socket, ServerHttp2Session | undefined>();
  let serving: Socket | undefined;
  http2.on('session', (session) => {
    const socket = serving!;
    sockets.set(socket, session);
    session.setLocalWindowSize(connectionWindowBytes);
    // A frozen client would not end its side.
    session.once('close', () => socket.destroySoon());
    session.on('error', () => session.destroy()); // a client that disconnected is not an error of ours
    keepAsking(session, options.pingEveryMs);
    guard.watch(session, socket);
  });

  return {
    serve: (socket) => {
      sockets.set(socket, undefined);
      socket.once('close', () => sockets.delete(socket));
      // The session is made within this call.
      serving = socket;
      http2.emit('connection', socket);
      serving = undefined;
    },
    drain: () => {
      for (const [socket, session] of sockets) {
        if (!session || session.destroyed) socket.destroy();
        else session.close();
      }
      guard.limitRequests(options.requestTimeoutMs);
    },
    destroyAll: () => {
      for (const [socket, session] of sockets) {
        session?.destroy();
        socket.destroy();
      }
    },
  };
}

/** Closes dead connections. TCP alone notices a half-open one after hours, and its streams would stay open. */
function keepAsking(session: ServerHttp2Session, everyMs: number): void {
  let answered = true;
  const timer = setInterval(() => {
    if (!answered) return session.destroy();
    if (session.destroyed) return;
    answered = false;
    session.ping((error) => {
      answered = !error;
    });
  }, everyMs);
  session.once('close', () => clearInterval(timer));
}

/** Reads until the protocol is known and puts the bytes back. */
function sniff(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const giveUp = (): void => {
    clearTimeout(timer);
    socket.destroy();
  };
  socket.on('error', giveUp);
  socket.on('end', giveUp);
  let seen: Buffer = Buffer.alloc(0);
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const isHttp2 = prefaceStart.equals(seen.subarray(0, prefaceStart.length));
    if (!isHttp2 && seen.length < prefaceStart.length) return;
    clearTimeout(timer);
    socket.off('readable', look);
    socket.off('end', giveUp);
    socket.off('error', giveUp);
    socket.unshift(seen);
    decide(isHttp2);
    // A removed `readable` listener leaves the socket paused.
    if (!isHttp2) process.nextTick(() => socket.resume());
  };
  socket.on('readable', look);
}
