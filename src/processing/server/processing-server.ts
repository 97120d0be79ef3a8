/**
 * The processing role's port: the RPC services behind the shared token, `/health/*` and `/metrics`.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ProcessingService } from '../../gen/parley/processing/v1/processing_pb.ts';
import { mayCall } from '../../permissions.ts';
import { type AnyRequest, type AnyResponse, startHttp1H2cServer } from './http1-h2c-server.ts';
import type { SessionLimits } from './http2-flood-guard.ts';
import { markInvalidUtf8 } from './invalid-utf8.ts';
import { createProcessingService, type ProcessingServiceOptions } from './processing-service.ts';
import { createHealthStatus } from './rpc-health.ts';
import { serveReflection, serviceNames } from './rpc-reflection.ts';

export interface ProcessingServerSettings {
  readonly host: string;
  readonly port: number;
  /** Required by every call but health as `authorization: Bearer`. Absent: no check, and the port is on loopback only. */
  readonly token: string | undefined;
  /** Bytes of one request message, decompressed. */
  readonly requestBytes: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  readonly streamsMax: number;
  readonly pingEveryMs: number;
  readonly session: SessionLimits;
}

export interface Readiness {
  readonly ready: boolean;
  /** The state of each dependency, as text for people. */
  readonly dependencies: Readonly<Record<string, string>>;
}

export interface ProcessingServerOptions {
  readonly settings: ProcessingServerSettings;
  readonly service: Omit<ProcessingServiceOptions, 'draining'>;
  readonly readiness: () => Promise<Readiness>;
  /** A call was refused or failed; `code` is its gRPC status in words: `invalid_argument`, `unavailable`; `canceled` when the caller went away. */
  readonly onRefused?: (code: string) => void;
  /** The `/metrics` page; absent: served elsewhere. */
  readonly metrics?: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface ProcessingServer {
  readonly port: number;
  /** Reports not ready, ends streams after their open batches, finishes open calls, and closes the rest at the deadline. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

/** Starts listening; rejects if the address is in use. */
export async function startProcessingServer(options: ProcessingServerOptions): Promise<ProcessingServer> {
  const { settings } = options;
  markInvalidUtf8();
  const draining = new AbortController();
  const health = createHealthStatus(serviceNames, draining.signal);
  const routes = (router: ConnectRouter): void => {
    router.service(ProcessingService, createProcessingService({ ...options.service, draining: draining.signal }));
    router.service(Health, health.service);
    serveReflection(router);
  };
  const pages = createPages(options, () => draining.signal.aborted);
  const requireToken = createGate(settings.token);
  const rpc = connectNodeAdapter({
    routes,
    readMaxBytes: settings.requestBytes,
    requestGate: (context) => {
      context.signal.addEventListener(
        'abort',
        () => {
          const error: unknown = context.signal.reason;
          if (!(error instanceof ConnectError)) return;
          blameCallerForNoise(error);
          options.onRefused?.(codeToString(error.code));
        },
        { once: true },
      );
      requireToken(context);
    },
    jsonOptions: { ignoreUnknownFields: false },
    fallback: pages,
  });
  const server = await startHttp1H2cServer({ ...settings, handler: rpc });
  return {
    port: server.port,
    stop: async (deadlineMs) => {
      health.set(false);
      draining.abort();
      await server.stop(deadlineMs);
    },
  };
}

/** Checks the token before a message is read. Compares digests, so the time reveals neither content nor length of the token. */
function createGate(token: string | undefined): (context: HandlerContext) => void {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return ({ service, requestHeader }) => {
    // Without a token the port is on loopback alone.
    const known = token === undefined || timingSafeEqual(digest(requestHeader.get('authorization') ?? ''), expected);
    if (mayCall(known ? 'instance' : 'stranger', service.typeName)) return;
    throw new ConnectError('a valid token is needed', Code.Unauthenticated);
  };
}

/**
 * Turns the internal error of the RPC library for bytes that are not protobuf into `invalid_argument`. The library ends the call
 * with the error before it reads its code, and offers no other hook.
 */
function blameCallerForNoise(error: ConnectError): void {
  if (error.code !== Code.Internal || !error.rawMessage.startsWith('parse binary')) return;
  Object.assign(error, { code: Code.InvalidArgument, rawMessage: 'the request is no message of this type' });
}

function write(response: AnyResponse, status: number, headers: Record<string, string>, body: string): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** `/health/live` never checks dependencies; `/health/ready` checks each. */
function createPages(
  options: ProcessingServerOptions,
  isDraining: () => boolean,
): (request: AnyRequest, response: AnyResponse) => void {
  const json = { 'content-type': 'application/json', 'cache-control': 'no-store' };

  async function ready(response: AnyResponse): Promise<void> {
    const { ready, dependencies } = await options.readiness();
    const well = ready && !isDraining();
    const status = isDraining() ? 'draining' : well ? 'ready' : 'unready';
    write(response, well ? 200 : 503, json, JSON.stringify({ status, dependencies }));
  }

  async function metrics(response: AnyResponse): Promise<void> {
    const page = await options.metrics?.();
    if (!page) return write(response, 404, json, '{"title":"Not found"}');
    write(response, 200, { 'content-type': page.contentType }, page.body);
  }

  return (request, response) => {
    request.resume();
    const path = request.url?.split('?', 1)[0];
    const failed = (): void => write(response, 503, json, '{"status":"unready"}');
    if (request.method !== 'GET' && request.method !== 'HEAD') write(response, 404, json, '{"title":"Not found"}');
    else if (path === '/health/live') write(response, 200, json, '{"status":"live"}');
    else if (path === '/health/ready') ready(response).catch(failed);
    else if (path === '/metrics') metrics(response).catch(failed);
    else write(response, 404, json, '{"title":"Not found"}');
  };
}
