/**
 * `GET /v1/sse`: the frames of a WebSocket as Server-Sent Events, where WebSockets are blocked. A reader sends by REST. `Last-Event-ID` says
 * where it was: the stream resumes there, as `resume` of a hello does.
 */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { WebSocket } from 'ws';
import { Failure } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { PageOrigins } from '../../http/caller/page-origins.ts';
import { exactly } from '../../http/input/schemas.ts';
import type { App } from '../../http/server/app-type.ts';
import type { SocketServer } from '../gateway/socket-server.ts';
import { readCursor } from './event-stream-cursor.ts';
import { EventStreamSocket } from './event-stream-socket.ts';

export interface EventStreamRouteOptions {
  readonly sockets: SocketServer;
  readonly authenticator: Authenticator;
  readonly origins: PageOrigins;
  /** This instance is draining, or isolated from the database. */
  readonly isLeaving: () => boolean;
  /** As many hellos wait for their welcome as may. */
  readonly isCrowded: () => boolean;
  readonly onCrowded: () => void;
  readonly socketsMax: number;
}

const StreamQuery = exactly({
  // The most that common proxies gather before they pass anything on.
  padding: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_536 })),
});

/** Browsers wait this long before they connect again by themselves. */
const retryMs = 2000;
/** Some proxies and antivirus programs hold back the first bytes of a response. */
const firstPaddingBytes = 2048;

export function addEventStreamRoute(app: App, options: EventStreamRouteOptions): void {
  const { sockets, authenticator, isLeaving, isCrowded, onCrowded, socketsMax } = options;

  /** @throws Failure `unavailable`, `forbidden` */
  function requireRoom(request: FastifyRequest): void {
    if (isLeaving()) throw new Failure('unavailable', 'this server cannot serve now', { retryAfterMs: 1000 });
    if (isCrowded()) onCrowded();
    if (isCrowded() || sockets.openCount() >= socketsMax)
      throw new Failure('unavailable', 'too many sockets', { retryAfterMs: 2000 + Math.floor(Math.random() * 5000) });
    // A page of another site may not read what cookies prove.
    const { cookie, origin } = request.headers;
    if (cookie !== undefined && origin !== undefined && !options.origins.isKnown(request))
      throw options.origins.refuse(request);
  }

  app.get(
    '/v1/sse',
    {
      // Documented with the frames: an OpenAPI client would wait for the end of the answer.
      schema: { hide: true, querystring: StreamQuery },
      exposeHeadRoute: false,
      config: { rateLimit: false },
    },
    async (request, reply) => {
      requireRoom(request);
      const caller = await authenticator.fromRequest(request);
      const start = readCursor(String(request.headers['last-event-id'] ?? ''));
      const socket = begin(reply, { start, paddingBytes: request.query.padding ?? 0 });
      sockets.accept(socket as unknown as WebSocket, socket.raw as unknown as Socket, caller);
      const hello = { type: 'hello', id: 'stream', ...(start ? { resume: start } : {}) };
      socket.emit('message', Buffer.from(JSON.stringify(hello)), false);
    },
  );
}

function begin(
  reply: FastifyReply,
  options: Omit<ConstructorParameters<typeof EventStreamSocket>[0], 'response'>,
): EventStreamSocket {
  reply.hijack();
  const response = reply.raw;
  // Those of CORS among them.
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    // No proxy may keep it, change it or gather it; the last one is nginx's.
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  });
  response.socket?.setNoDelay(true);
  response.write(`retry: ${retryMs}\n:${' '.repeat(firstPaddingBytes)}\n\n`);
  return new EventStreamSocket({ ...options, response });
}
