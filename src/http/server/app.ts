/** The Fastify application: what every route shares and no feature owns. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
  type RawServerDefault,
} from 'fastify';
import type { Counter } from 'prom-client';
import { Failure, type FailureCode } from '../../errors.ts';
import { type RateCounters, rateStore } from '../limits/rate-counters.ts';
import { answerInTime, noteArrival } from './answer-deadline.ts';
import { createConnections } from './connections.ts';
import { takeEmptyBodies } from './empty-body.ts';
import { tidyForwardedFor } from './forwarded-for.ts';
import { noteHandled, putLoginFirst, type RequireCaller } from './login-first.ts';
import { failureOfRequest, problemOf, sendProblem } from './problem.ts';
import { validatorCompiler } from './validator.ts';

export interface AppSettings {
  readonly publicUrl: string;
  readonly allowedOrigins: readonly string[];
  readonly trustProxy: readonly string[];
  /** Where connections may be upgraded; elsewhere an `Upgrade` header is ignored. */
  readonly socketPath: string;
  readonly bodyBytes: number;
  readonly headerBytes: number;
  readonly headersMax: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly handlerTimeout: number;
  readonly keepAliveTimeout: number;
  readonly connectionsMax: number;
  /** Requests per minute and address that show no good login; routes may have their own bound. */
  readonly requestsPerMinute: number;
  /** The same for requests that show one: many people may share an address. */
  readonly requestsPerAddress: number;
}

export interface AppMetrics {
  /** Requests that were refused or failed. */
  readonly errors: Counter<'code'>;
  /** TCP connections refused because as many were open as may be. */
  readonly dropped: Counter;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What attempts from an address are counted under: an IPv6 network of 64 bits is one customer. */
export function addressKey(address: string): string {
  return normalizeIP(address, 64);
}

/** @see https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers */
const apiHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-site',
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An API route whose answer is a page for people. */
    document?: boolean;
  }
}

export async function createApp({
  settings,
  counters,
  isCaller,
  requireCaller,
  metrics,
  logger,
  version,
}: {
  settings: AppSettings;
  counters: RateCounters;
  /** Whether a request proves who makes it. Asked of those alone that are too many for an address without a login. */
  isCaller: (request: FastifyRequest) => Promise<boolean>;
  requireCaller: RequireCaller;
  metrics: AppMetrics;
  logger: FastifyBaseLogger;
  version: string;
}): Promise<App> {
  const onRefused = (code: FailureCode) => metrics.errors.inc({ code });
  const connections = createConnections({
    requestTimeoutMs: settings.requestTimeout,
    onRequestTimeout: (socket) => answerUnreadable({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }, socket, onRefused),
  });
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyBytes,
    requestTimeout: settings.requestTimeout,
    handlerTimeout: settings.handlerTimeout,
    keepAliveTimeout: settings.keepAliveTimeout,
    trustProxy: settings.trustProxy.length > 0 ? [...settings.trustProxy] : false,
    http: {
      headersTimeout: settings.headersTimeout,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: settings.headerBytes,
      // Many HTTP clients offer h2c with every request: what is no WebSocket is answered as if they had not.
      // The same goes for one that does not wait for the answer to the request before it.
      shouldUpgradeCallback: ({ headers, url, socket }) =>
        !connections.isBusy(socket) &&
        headers.upgrade?.toLowerCase() === 'websocket' &&
        originForm(url!).split('?')[0] === settings.socketPath,
    },
    rewriteUrl: ({ url }) => originForm(url!),
    clientErrorHandler: (error, socket) => connections.refuse(socket, () => answerUnreadable(error, socket, onRefused)),
    frameworkErrors: (error, request, reply) => void sendProblem(error, request as never, reply as never, onRefused),
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    // The longest: a passkey's id.
    routerOptions: { maxParamLength: 1400 },
    exposeHeadRoutes: true,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = settings.connectionsMax;
  app.server.on('drop', () => metrics.dropped.inc());
  app.server.maxHeadersCount = settings.headersMax + 1;
  connections.watch(app.server);
  app.addHook('preClose', (done) => {
    connections.drain();
    done();
  });
  app.addHook('onRequest', (request, reply, done) => connections.begin(request.raw, reply.raw, done));
  app.setValidatorCompiler(validatorCompiler);
  // Answers are made by our own code in the documented shape: one plain stringify, no second compiler.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.setErrorHandler(async (error: Error, request, reply) => {
    const failure = await putLoginFirst(failureOfRequest(error, request, reply), request, requireCaller);
    return sendProblem(failure, request, reply, onRefused);
  });
  app.setNotFoundHandler((request, reply) => {
    const failure = new Failure('not_found', `no route ${request.method} ${request.url.split('?')[0]}`);
    return sendProblem(failure, request, reply, onRefused);
  });
  // A logger of its own would cost each request more than its routing does; what is logged names the request itself.
  app.setChildLoggerFactory((parent) => parent);
  app.removeContentTypeParser('text/plain');
  takeEmptyBodies(app);
  app.decorateRequest('cameAtMs', 0);
  app.decorateRequest('isHandled', false);
  app.addHook('onRequest', noteArrival);
  app.addHook('onRequest', tidyForwardedFor(settings.trustProxy, logger));
  // Before whatever may refuse a request: a refusal asks for the login, which may be in cookies.
  await app.register(cookie);
  app.addHook('preHandler', answerInTime(settings.handlerTimeout));
  app.addHook('preHandler', noteHandled);
  app.addHook('onRequest', (request, _reply, done) => {
    // Bodies are read as UTF-8, as they are: others would be stored as something else than was meant.
    if (!isPlainUtf8(request.headers))
      done(new Failure('unsupported_media_type', 'bodies are UTF-8 without a content encoding'));
    // Node keeps silent about headers beyond its maximum: they would be dropped, not refused.
    else if (request.raw.rawHeaders.length / 2 > settings.headersMax)
      done(new Failure('headers_too_large', `at most ${settings.headersMax} headers`));
    // RFC 9112 §3.2. Node takes the first one; a proxy that took the other would have judged another request.
    else if (isHostRepeated(request.raw.rawHeaders)) done(new Failure('invalid', 'more than one Host header'));
    else done();
  });
  const isApi = (url: string) => url.startsWith('/v1/');
  const strictTransport = settings.publicUrl.startsWith('https:') ? 'max-age=31536000; includeSubDomains' : undefined;
  // Answers of the API are data: a fixed set says so. helmet, which is for documents, would make its own anew each time.
  app.addHook('onRoute', (route) => {
    if (isApi(route.url) && !route.config?.document) (route as { helmet?: false }).helmet = false;
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (isApi(request.url)) {
      if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
      if (!request.routeOptions.config.document) void reply.headers(apiHeaders);
      if (strictTransport !== undefined) void reply.header('strict-transport-security', strictTransport);
    }
    done(null, payload);
  });

  const origins = new Set([new URL(settings.publicUrl).origin, ...settings.allowedOrigins]);
  await app.register(cors, {
    origin: (origin, decide) => decide(null, origin !== undefined && origins.has(origin)),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['Retry-After'],
    maxAge: 600,
  });
  const openedAt = new WeakMap<IncomingMessage, string>();
  app.addHook('onRequest', (request, _reply, done) => {
    if (!isApi(request.url)) openedAt.set(request.raw, request.host);
    done();
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'https:'],
        connectSrc: ["'self'", (request) => socketSource(openedAt.get(request as IncomingMessage) ?? '')],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        upgradeInsecureRequests: null,
      },
    },
    strictTransportSecurity: settings.publicUrl.startsWith('https:') ? { maxAge: 31_536_000 } : false,
    crossOriginResourcePolicy: { policy: 'same-site' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  app.addHook('onRequest', async (request) => {
    // Routes with a bound of their own, or none, are counted there.
    if (request.routeOptions.config?.rateLimit !== undefined) return;
    const { count, resetMs } = await counters.hit(`address ${addressKey(request.ip)}`, 60_000);
    if (count <= settings.requestsPerMinute) return;
    // A header that anybody can make up raises no bound.
    if (count <= settings.requestsPerAddress && (await isCaller(request))) return;
    throw tooMany(resetMs);
  });
  await app.register(rateLimit, {
    global: false,
    store: rateStore(counters) as never,
    // By address alone: a header that anybody can make up buys nobody a second allowance.
    keyGenerator: ({ ip }) => addressKey(ip),
    errorResponseBuilder: (_request, { ttl }) => tooMany(ttl),
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Parley',
        version,
        description: 'Chat for any product. The realtime half, `GET /v1/ws`, is described in docs/protocol.md.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      // Relative first: the documentation calls the address that it was opened at.
      servers: [{ url: '/' }, { url: settings.publicUrl }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ bearer: [] }],
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // On a plain http address other than localhost it would keep the page from loading its scripts.
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
  });
  app.get('/openapi.json', { config: { rateLimit: false }, schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** The target of a request from its path on: some proxies send the whole URL, which servers must accept (RFC 9112 §3.2.2). */
export function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(target) ?? [];
  return rest === undefined ? target : rest.startsWith('/') ? rest : `/${rest}`;
}

/** @param rawHeaders names and values in turn */
export function isHostRepeated(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/**
 * Sockets to the host that the page was opened at. `'self'` covers them in current browsers (CSP 3), but not in Safari
 * before 15.4. The host is the client's text: one that is no plain name and port is left out.
 */
function socketSource(host: string): string {
  return /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(host) ? `ws://${host} wss://${host}` : "'self'";
}

function tooMany(retryAfterMs: number): Failure {
  return new Failure('rate_limited', 'too many requests', { retryAfterMs: Math.max(1000, Math.round(retryAfterMs)) });
}

function isPlainUtf8(headers: IncomingMessage['headers']): boolean {
  if (headers['content-type'] === undefined && headers['content-encoding'] === undefined) return true;
  const charset = /;\s*charset=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  return /^utf-?8$/i.test(charset) && /^(identity)?$/i.test(headers['content-encoding'] ?? '');
}

/** What Node could not read as a request, or waited for too long, still gets an answer in the words of the API. */
function answerUnreadable(
  { code }: { readonly code?: string },
  socket: Socket,
  onRefused: (code: FailureCode) => void,
): void {
  const { _httpMessage: begun } = socket as Socket & { _httpMessage?: ServerResponse };
  // Browsers and proxies open connections in advance: an answer to no request would be taken for that of the next one.
  const unused = code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0;
  if (!socket.writable || begun?.headersSent || unused) {
    socket.destroy();
    return;
  }
  const failure =
    code === 'HPE_HEADER_OVERFLOW'
      ? new Failure('headers_too_large', 'the headers are too large')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new Failure('request_timeout', 'the request did not come in time')
        : new Failure('invalid', 'not a request of HTTP/1.1');
  onRefused(failure.code);
  const { http: status } = failure.kind;
  const body = JSON.stringify(problemOf(failure));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/problem+json; charset=utf-8\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () =>
    socket.destroy(),
  );
}
