/**
 * `GET /v1/ws`: the upgrade to a WebSocket. conversation.ts speaks the protocol after it.
 *
 * Most upgrades carry no credentials, because the token comes with `hello`. They are answered at once. Others go through Fastify's
 * hooks and this route, like any request.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fastifyWebsocket from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { Failure } from '../../errors.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import type { PageOrigins } from '../../http/caller/page-origins.ts';
import type { App } from '../../http/server/app-type.ts';
import { isHostRepeated } from '../../http/server/request-head.ts';
import type { SocketServer } from './socket-server.ts';

export interface SocketRouteSettings {
  readonly frameBytes: number;
  readonly fragmentsMax: number;
  readonly socketsMax: number;
  /** Headers of an upgrade at most. */
  readonly headersMax: number;
}

export const socketPath = '/v1/ws';
export const subprotocol = 'parley.v1';
/** How long a client may take to answer a close frame before its socket is destroyed. */
const closeTimeoutMs = 5000;
/** Names of query parameters that carry tokens. URLs end up in logs and histories, so tokens in them are refused. */
const tokenNames = ['token', 'access_token', 'accessToken', 'authorization', 'jwt'];

export interface SocketRouteOptions {
  readonly sockets: SocketServer;
  readonly authenticator: Authenticator;
  /** Pages that may connect. Clients that send no Origin are no browsers. */
  readonly origins: PageOrigins;
  /** This instance is draining, or isolated from the database. */
  readonly isLeaving: () => boolean;
  /** As many hellos wait for their welcome as may. */
  readonly isCrowded: () => boolean;
  readonly onCrowded: () => void;
  readonly settings: SocketRouteSettings;
}

export async function addSocketRoute(app: App, options: SocketRouteOptions): Promise<void> {
  const { sockets, isLeaving, isCrowded, settings } = options;
  /** Receives the upgrades that go through Fastify. */
  const checked = new EventEmitter();
  await app.register(fastifyWebsocket, {
    options: {
      server: checked,
      maxPayload: settings.frameBytes,
      perMessageDeflate: false,
      // Many small or empty fragments cost more than they carry.
      maxFragments: settings.fragmentsMax,
      maxBufferedChunks: 1024,
      closeTimeout: closeTimeoutMs,
      handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
    } as never,
    // The role ends its sockets itself, spread over time.
    preClose: (done) => done(),
  });

  const isFull = () => sockets.openCount() >= settings.socketsMax || isCrowded();

  app.server.on('upgrade', (request: IncomingMessage, raw: Socket, head: Buffer) => {
    if (!isPlain(request, settings.headersMax) || isLeaving() || isFull()) checked.emit('upgrade', request, raw, head);
    else
      app.websocketServer.handleUpgrade(request, raw, head, (socket) => {
        sockets.accept(socket, raw, undefined);
      });
  });

  const upgrades = createUpgradeCheck({ ...options, isFull });
  await app.register(async (scope) => {
    scope.get(
      socketPath,
      {
        websocket: true,
        preValidation: upgrades.check,
        // An upgrade does not need the headers that protect documents.
        helmet: false,
        config: { rateLimit: false },
        schema: { hide: true },
      },
      (socket: WebSocket, request: FastifyRequest) => {
        const raw = request.raw.socket as Socket;
        releaseRequest(socket, raw);
        sockets.accept(socket, raw, upgrades.callerOf(request));
      },
    );
    // Browsers do not tell a page why its upgrade was refused. The page finds out here, with the same Origin and cookies.
    scope.post(socketPath, { schema: { hide: true } }, async (request, reply) => {
      upgrades.requireKnownPage(request);
      return reply.code(204).send(null);
    });
  });
}

/** Checks the upgrades that go through Fastify, and remembers the callers that they prove. */
function createUpgradeCheck({
  authenticator,
  origins,
  isLeaving,
  isCrowded,
  onCrowded,
  isFull,
}: Omit<SocketRouteOptions, 'sockets' | 'settings'> & { isFull: () => boolean }) {
  const proved = new WeakMap<object, Caller>();
  let warned = false;

  /** A request with Sec-WebSocket-Key and without Upgrade lost that header to a proxy. */
  function upgradeRequired({ headers, log }: FastifyRequest): Failure {
    const lost = headers['sec-websocket-key'] !== undefined;
    if (lost && !warned) log.warn('a WebSocket came without its headers: a proxy must pass on Upgrade and Connection');
    warned ||= lost;
    return new Failure(
      'upgrade_required',
      'this is for WebSockets; a proxy in between must pass on the headers Upgrade and Connection',
    );
  }

  /** @throws Failure for cookies from a page of another origin */
  function requireKnownPage(request: FastifyRequest): void {
    const { cookie, origin } = request.headers;
    if (cookie !== undefined && origin !== undefined && !origins.isKnown(request)) throw origins.refuse(request);
  }

  /** @throws Failure `upgrade_required`, `unavailable`, `invalid`, or about the credentials */
  async function check(request: FastifyRequest): Promise<void> {
    if (!request.ws) throw upgradeRequired(request);
    if (isLeaving()) throw new Failure('unavailable', 'this server cannot serve now', { retryAfterMs: 1000 });
    if (isCrowded()) onCrowded();
    if (isFull())
      throw new Failure('unavailable', 'too many sockets', { retryAfterMs: 2000 + Math.floor(Math.random() * 5000) });
    if (tokenNames.some((name) => Object.hasOwn(request.query as object, name)))
      throw new Failure('invalid', 'a token does not belong into an address');
    requireKnownPage(request);
    if (!authenticator.hasLogin(request)) return;
    try {
      proved.set(request.raw, await authenticator.fromRequest(request));
    } catch (error) {
      // The browser sends cookies by itself, and hello may bring a valid token.
      const ended = error instanceof Failure && ['unauthenticated', 'token_expired'].includes(error.code);
      if (!ended || authenticator.hasHeader(request)) throw error;
    }
  }

  return { check, requireKnownPage, callerOf: (request: FastifyRequest) => proved.get(request.raw) };
}

/** Headers about credentials or a body. */
const checkedHeaders = [
  'authorization',
  'cookie',
  'content-type',
  'content-encoding',
  'content-length',
  'transfer-encoding',
];
/** Whether only the WebSocket headers of the upgrade have to be checked, which `ws` does. */
function isPlain({ method, url, headers, rawHeaders }: IncomingMessage, headersMax: number): boolean {
  return (
    method === 'GET' &&
    url === socketPath &&
    rawHeaders.length / 2 <= headersMax &&
    !isHostRepeated(rawHeaders) &&
    checkedHeaders.every((name) => headers[name] === undefined)
  );
}

/** Detaches the request and its response from the socket. They would use memory as long as it is open (bench/idle-connections.ts). */
function releaseRequest(socket: WebSocket, raw: Socket): void {
  socket.removeAllListeners('error');
  const { _httpMessage: response } = raw as Socket & { _httpMessage?: ServerResponse };
  response?.detachSocket(raw);
}
