/** The Fastify application: everything that all routes share and no feature owns. */
import type { Socket } from 'node:net';
import cookie from '@fastify/cookie';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, type FastifyRequest, LogController } from 'fastify';
import type { Counter } from 'prom-client';
import { Failure, type FailureCode } from '../../errors.ts';
import type { RateCounters } from '../limits/rate-counters.ts';
import { type AddressLimitSettings, limitAddresses } from './address-limit.ts';
import { answerInTime, noteArrival } from './answer-deadline.ts';
import { addApiDescription } from './api-description.ts';
import type { App } from './app-type.ts';
import { limitBodyTime } from './body-deadline.ts';
import { type Connections, createConnections } from './connections.ts';
import { takeEmptyBodies } from './empty-body.ts';
import { tidyForwardedFor } from './forwarded-for.ts';
import { noteHandled, putLoginFirst, type RequireCaller } from './login-first.ts';
import { failureOfRequest, sendProblem } from './problem.ts';
import { checkHead, originForm } from './request-head.ts';
import { addApiHeaders, addCors, addDocumentHeaders, type SecurityHeaderSettings } from './security-headers.ts';
import { answerUnreadable } from './unreadable-request.ts';
import { validatorCompiler } from './validator.ts';

export interface AppSettings extends AddressLimitSettings, SecurityHeaderSettings {
  readonly trustProxy: readonly string[];
  /** The path of WebSocket upgrades; elsewhere an `Upgrade` header is ignored. */
  readonly socketPath: string;
  readonly bodyBytes: number;
  readonly headerBytes: number;
  readonly headersMax: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** Of the routes that allow more time for a body than `requestTimeout`. */
  readonly longestBodyTimeout: number;
  readonly handlerTimeout: number;
  readonly keepAliveTimeout: number;
  readonly connectionsMax: number;
}

export interface AppMetrics {
  /** Requests that were refused or failed. */
  readonly errors: Counter<'code'>;
  /** TCP connections refused because too many were open. */
  readonly dropped: Counter;
}

export interface AppOptions {
  readonly settings: AppSettings;
  readonly counters: RateCounters;
  /** Whether a request proves who makes it. Checked only when an address exceeds the limit without a login. */
  readonly isCaller: (request: FastifyRequest) => Promise<boolean>;
  readonly requireCaller: RequireCaller;
  readonly metrics: AppMetrics;
  readonly logger: FastifyBaseLogger;
  readonly version: string;
}

type OnRefused = (code: FailureCode) => void;

/** The longest path parameter is the id of a passkey. */
const pathParameterMax = 1400;

export async function createApp(options: AppOptions): Promise<App> {
  const { settings, counters, isCaller, metrics, logger, version } = options;
  const onRefused: OnRefused = (code) => metrics.errors.inc({ code });
  const onRequestTimeout = (socket: Socket) =>
    answerUnreadable({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }, socket, onRefused);
  const connections = createConnections({ requestTimeoutMs: settings.requestTimeout, onRequestTimeout });
  const app = createFastify(options, connections, onRefused);
  watchConnections(app, options, connections);
  app.setValidatorCompiler(validatorCompiler);
  // Our own code builds responses in the documented shape, so a plain stringify is enough.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  answerFailures(app, options, onRefused);
  // A child logger per request would cost more than its routing. Log lines name the request themselves.
  app.setChildLoggerFactory((parent) => parent);
  app.removeContentTypeParser('text/plain');
  takeEmptyBodies(app);

  // Hooks run in this order.
  app.decorateRequest('cameAtMs', 0);
  app.decorateRequest('isHandled', false);
  app.addHook('onRequest', noteArrival);
  app.addHook('onRequest', limitBodyTime(settings.requestTimeout, onRequestTimeout));
  app.addHook('onRequest', tidyForwardedFor(settings.trustProxy, logger));
  // Cookies come before every check that may refuse a request, because a refusal looks at the login first.
  await app.register(cookie);
  app.addHook('preHandler', answerInTime(settings.handlerTimeout));
  app.addHook('preHandler', noteHandled);
  app.addHook('onRequest', checkHead(settings.headersMax));
  addApiHeaders(app, settings);
  await addCors(app, settings);
  await addDocumentHeaders(app, settings);
  await limitAddresses(app, { counters, isCaller, settings });
  await addApiDescription(app, { publicUrl: settings.publicUrl, version });
  return app;
}

function createFastify({ settings, logger }: AppOptions, connections: Connections, onRefused: OnRefused): App {
  return Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: settings.bodyBytes,
    requestTimeout: Math.max(settings.requestTimeout, settings.longestBodyTimeout),
    handlerTimeout: settings.handlerTimeout,
    keepAliveTimeout: settings.keepAliveTimeout,
    trustProxy: settings.trustProxy.length > 0 ? [...settings.trustProxy] : false,
    http: {
      headersTimeout: settings.headersTimeout,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: settings.headerBytes,
      // Many HTTP clients offer h2c with every request. Anything but a WebSocket is answered as if there was no offer, and
      // so is an upgrade that did not wait for the answer to the request before it.
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
    routerOptions: { maxParamLength: pathParameterMax },
    exposeHeadRoutes: true,
  }).withTypeProvider<TypeBoxTypeProvider>();
}

function watchConnections(app: App, { settings, metrics }: AppOptions, connections: Connections): void {
  app.server.maxConnections = settings.connectionsMax;
  app.server.on('drop', () => metrics.dropped.inc());
  app.server.maxHeadersCount = settings.headersMax + 1;
  connections.watch(app.server);
  app.addHook('preClose', (done) => {
    connections.drain();
    done();
  });
  app.addHook('onRequest', (request, reply, done) => connections.begin(request.raw, reply.raw, done));
}

function answerFailures(app: App, { requireCaller }: AppOptions, onRefused: OnRefused): void {
  app.setErrorHandler(async (error: Error, request, reply) => {
    const failure = await putLoginFirst(failureOfRequest(error, request, reply), request, requireCaller);
    return sendProblem(failure, request, reply, onRefused);
  });
  app.setNotFoundHandler((request, reply) => {
    const failure = new Failure('not_found', `no route ${request.method} ${request.url.split('?')[0]}`);
    return sendProblem(failure, request, reply, onRefused);
  });
}
