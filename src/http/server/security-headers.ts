/** Response headers that browsers obey: CORS, content security policy, caching. */
import type { IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyReply } from 'fastify';
import type { App } from './app-type.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An API route that answers with a page for people. */
    document?: boolean;
  }
}

export interface SecurityHeaderSettings {
  readonly publicUrl: string;
  readonly allowedOrigins: readonly string[];
}

/** @see https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers */
const apiHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-site',
};

/** One year. */
const transportMaxAgeSeconds = 31_536_000;

const isApi = (url: string) => url.startsWith('/v1/');

/** Gives JSON responses of the API a fixed set of headers. helmet, which is made for documents, builds its set per request. */
export function addApiHeaders(app: App, { publicUrl }: SecurityHeaderSettings): void {
  const strictTransport = publicUrl.startsWith('https:')
    ? `max-age=${transportMaxAgeSeconds}; includeSubDomains`
    : undefined;
  app.addHook('onRoute', (route) => {
    if (isApi(route.url) && !route.config?.document) (route as { helmet?: false }).helmet = false;
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    if (isApi(request.url)) {
      if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store');
      if (!request.routeOptions.config.document) addMissing(reply, apiHeaders);
      if (strictTransport !== undefined) void reply.header('strict-transport-security', strictTransport);
    }
    done(null, payload);
  });
}

/** A route that serves files has a policy of its own. */
function addMissing(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) if (!reply.hasHeader(name)) void reply.header(name, value);
}

/** CORS for the configured origins. */
export async function addCors(app: App, { publicUrl, allowedOrigins }: SecurityHeaderSettings): Promise<void> {
  const origins = new Set([new URL(publicUrl).origin, ...allowedOrigins]);
  await app.register(cors, {
    origin: (origin, decide) => decide(null, origin !== undefined && origins.has(origin)),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['Retry-After', 'Content-Disposition', 'Content-Range'],
    maxAge: 600,
  });
}

/** The content security policy of pages: everything from our own origin, images from anywhere over https. */
export async function addDocumentHeaders(app: App, { publicUrl }: SecurityHeaderSettings): Promise<void> {
  // helmet's callbacks get Node's request, which does not know the host behind a proxy.
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
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: transportMaxAgeSeconds } : false,
    crossOriginResourcePolicy: { policy: 'same-site' },
    referrerPolicy: { policy: 'no-referrer' },
  });
}

/**
 * The WebSocket source of the host that the page was opened at. Current browsers include it in `'self'` (CSP 3), Safari
 * before 15.4 does not. The client chooses the host, so anything but a plain name and port is left out.
 */
function socketSource(host: string): string {
  return /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(host) ? `ws://${host} wss://${host}` : "'self'";
}
