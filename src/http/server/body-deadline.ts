/**
 * The time for a request's body. Node has one limit for all routes, so it gets the longest one, and each request its own
 * here. The headers have a limit of their own.
 */
import type { Socket } from 'node:net';
import type { onRequestHookHandler } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Milliseconds for the body, where `http.requestTimeout` is too short. At most `longestBodyTimeout` of the app. */
    bodyTimeoutMs?: number;
  }
}

/** @param onLate refuses the request and closes its connection */
export function limitBodyTime(requestTimeoutMs: number, onLate: (socket: Socket) => void): onRequestHookHandler {
  return (request, _reply, done) => {
    const { raw, routeOptions } = request;
    const { 'content-length': length, 'transfer-encoding': encoding } = raw.headers;
    if (encoding !== undefined || (length !== undefined && length !== '0')) {
      const late = () => {
        if (!raw.complete) onLate(raw.socket);
      };
      const timer = setTimeout(late, routeOptions.config?.bodyTimeoutMs ?? requestTimeoutMs);
      const clear = () => clearTimeout(timer);
      raw.once('end', clear).once('close', clear);
    }
    done();
  };
}
