/**
 * Requests to URLs that users give: previews of links now, webhooks and commands later. The user who chooses the URL must not
 * reach what only this server reaches. So:
 *
 * - only http and https, no user name, ports 80 and 443
 * - every address is checked when a connection to it begins, for every redirect again (guarded-lookup.ts)
 * - nothing of the environment is used: no proxy, no cookie, no connection of an earlier request
 * - time, redirects, headers and bytes are bounded
 *
 * `outbound.allow` names the hosts and networks that an operator allows besides.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createAddressRules } from './address-rules.ts';
import { acceptedEncodings, readBody } from './bounded-body.ts';
import { createGuardedLookup, createResolve, type GuardedLookup, type Resolve } from './guarded-lookup.ts';
import { type OutboundCode, OutboundFailure } from './outbound-failure.ts';
import { hostWithoutBrackets, portOf, readTargetUrl } from './target-url.ts';

export interface OutboundRequest {
  readonly url: string;
  /** A redirect is followed by GET only. Default: GET. */
  readonly method?: 'GET' | 'POST';
  /** Sent to the first origin alone, because they may hold secrets. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to every origin. */
  readonly accept?: string;
  readonly body?: string | Buffer;
  /** `cut`: of a larger answer, the beginning is read. Default: it fails. */
  readonly tooLarge?: 'fail' | 'cut';
  /** Default: that of the client. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  /** After redirects. */
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Decoded. May be left unread, or be read in part. */
  readonly body: AsyncIterable<Buffer>;
}

export type OutboundOutcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: OutboundCode };

export interface OutboundClient {
  /**
   * Sends a request and reads its answer within one time limit. Errors of the network are values; what `read` throws by
   * itself is thrown.
   * @param read reads what it needs of the answer. The connection ends with it
   */
  readonly request: <Value>(
    request: OutboundRequest,
    read: (answer: OutboundAnswer) => Promise<Value>,
  ) => Promise<OutboundOutcome<Value>>;
}

export interface OutboundSettings {
  /** Host names, addresses and CIDRs. */
  readonly allow: readonly string[];
  /** From the lookup of the name to the last byte, redirects included. */
  readonly timeoutMs: number;
  /** Of a body, as it arrives and decoded. */
  readonly bytesMax: number;
  readonly redirectsMax: number;
  /** Default: the name servers of the system. */
  readonly resolve?: Resolve;
}

/** Many sites describe a page only to programs that call themselves so. */
const userAgent = 'Mozilla/5.0 (compatible; ParleyBot/1.0)';
const headerBytesMax = 16_384;
const redirects = new Set([301, 302, 303, 307, 308]);

export function createOutboundClient(settings: OutboundSettings): OutboundClient {
  const rules = createAddressRules(settings.allow);
  const lookup = createGuardedLookup(rules, settings.resolve ?? createResolve(rules, settings.timeoutMs));

  async function follow(request: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer> {
    const first = readTargetUrl(request.url);
    const mayRedirect = (request.method ?? 'GET') === 'GET';
    let url = first;
    for (let hops = 0; ; hops++) {
      const headers = url.origin === first.origin ? request.headers : undefined;
      const response = await sendOnce({ ...request, headers, url, signal, lookup });
      const { statusCode: status = 0, headers: answered } = response;
      if (!mayRedirect || !redirects.has(status) || answered.location === undefined)
        return {
          url: url.href,
          status,
          headers: answered,
          body: readBody(response, settings.bytesMax, request.tooLarge === 'cut'),
        };
      response.destroy();
      if (hops === settings.redirectsMax) throw new OutboundFailure('too_many_redirects');
      const next = readTargetUrl(answered.location, url);
      if (url.protocol === 'https:' && next.protocol === 'http:' && request.headers)
        throw new OutboundFailure('downgrade');
      url = next;
    }
  }

  return {
    request: async (request, read) => {
      const done = new AbortController();
      const timeout = AbortSignal.timeout(request.timeoutMs ?? settings.timeoutMs);
      const signal = AbortSignal.any([timeout, done.signal, ...(request.signal ? [request.signal] : [])]);
      try {
        return { ok: true, value: await read(await follow(request, signal)) };
      } catch (error) {
        if (timeout.aborted) return { ok: false, code: 'timeout' };
        if (request.signal?.aborted) return { ok: false, code: 'aborted' };
        if (error instanceof OutboundFailure) return { ok: false, code: error.code };
        throw error;
      } finally {
        done.abort();
      }
    },
  };
}

interface SingleRequest extends Omit<OutboundRequest, 'url' | 'headers'> {
  readonly url: URL;
  readonly headers: OutboundRequest['headers'];
  readonly signal: AbortSignal;
  readonly lookup: GuardedLookup;
}

/** One request on a connection of its own. Resolves with the head of the answer. @throws OutboundFailure */
async function sendOnce({
  url,
  method = 'GET',
  headers,
  accept = '*/*',
  body,
  signal,
  lookup,
}: SingleRequest): Promise<IncomingMessage> {
  const host = hostWithoutBrackets(url.hostname);
  const port = portOf(url);
  lookup.requireAddress(host, port);
  const isTls = url.protocol === 'https:';
  // An agent of its own: the global one may use a proxy that the environment names, and keeps connections.
  const agent = isTls ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const fixed = {
    accept,
    'accept-encoding': acceptedEncodings,
    'user-agent': userAgent,
    connection: 'close',
    ...length,
  };
  return new Promise((resolve, reject) => {
    const options = {
      ...{ agent, host, port, method, signal, maxHeaderSize: headerBytesMax, lookup: lookup.lookupFor(port) },
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, ...fixed, host: url.host },
    };
    const request = isTls ? httpsRequest(options) : httpRequest(options);
    request.on('error', (error) => reject(toFailure(error)));
    // Nobody asked for one. Without a listener Node closes the socket and reports neither a response nor an error.
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new OutboundFailure('bad_answer'));
    });
    // Whatever else ends the request ends the wait. It changes nothing once the response is there.
    request.on('close', () => reject(new OutboundFailure('unreachable')));
    request.on('response', (response) => {
      // An error of a body that nobody reads is nobody's. `readBody` listens for itself.
      response.on('error', () => {});
      resolve(response);
    });
    request.end(body);
  });
}

function toFailure(cause: Error): OutboundFailure {
  if (cause instanceof OutboundFailure) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (code === 'HPE_HEADER_OVERFLOW') return new OutboundFailure('too_large', { cause });
  return new OutboundFailure(code.startsWith('HPE_') ? 'bad_answer' : 'unreachable', { cause });
}
