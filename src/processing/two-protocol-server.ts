/**
 * One TCP port for HTTP/1.1 (Connect, gRPC-Web, health, metrics) and HTTP/2 with prior knowledge (gRPC). The first bytes
 * of a connection tell: HTTP/2 begins with the preface of RFC 9113 §3.4, and no HTTP/1 method begins with "PRI".
 */
import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { connectNodeAdapter } from '@connectrpc/connect-node';
import { connectionWindowBytes, frameBytes, streamWindowBytes } from './http2-sizes.ts';

/** Requests and responses of either protocol, as Connect's adapter types them. */
export type AnyRequest = Parameters<RpcHandler>[0];
export type AnyResponse = Parameters<RpcHandler>[1];
type RpcHandler = ReturnType<typeof connectNodeAdapter>;

export interface TwoProtocolOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly handler: (request: AnyRequest, response: AnyResponse) => void;
  /** Headers, and the first bytes of a connection, arrive within this time. */
  readonly headersTimeoutMs: number;
  /** An HTTP/1.1 request arrives whole within this time. */
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  /** HTTP/2 streams of one connection at once. */
  readonly streamsMax: number;
  /** An HTTP/2 connection is asked this often whether its other end lives; one that did not answer by the next time is cut off. */
  readonly pingEveryMs: number;
}

export interface TwoProtocolServer {
  readonly port: number;
  /** Takes no new connections and requests; resolves when the open ones are done, or cuts them off at the deadline. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

const prefaceStart = Buffer.from('PRI');

/** Listens; rejects when the address is taken. */
export async function startTwoProtocolServer(options: TwoProtocolOptions): Promise<TwoProtocolServer> {
  const { handler } = options;
  const http1 = createServer(
    {
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, options.headersTimeoutMs),
      maxHeaderSize: 16_384,
    },
    handler,
  );
  http1.maxConnections = options.connectionsMax;
  http1.maxHeadersCount = 100;
  const http2 = createHttp2Server(
    {
      settings: {
        maxConcurrentStreams: options.streamsMax,
        enablePush: false,
        initialWindowSize: streamWindowBytes,
        maxFrameSize: frameBytes,
      },
      maxSessionMemory: 64,
    },
    handler,
  );
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(connectionWindowBytes);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy()); // a peer that went away is no error of ours
    keepAsking(session, options.pingEveryMs);
  });

  // The HTTP/1.1 server listens, so that its own timeouts work; its connection listener is called by hand.
  const [serveHttp1] = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    sniff(socket, options.headersTimeoutMs, (isHttp2) => {
      if (isHttp2) http2.emit('connection', socket);
      else serveHttp1?.call(http1, socket);
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
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, deadlineMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** A half-open connection would keep its streams for ever: TCP alone notices it after hours. */
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

/** Reads until the protocol is clear and puts what was read back. */
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
