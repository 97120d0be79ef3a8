/**
 * The deadline of requests with a body. Fastify's `handlerTimeout` stops its timer on an event that Node emits both when the
 * client disconnects and when a body has been read (https://github.com/fastify/fastify/pull/6725). Until that is fixed,
 * these requests get a timer of ours.
 */
import type { onRequestHookHandler, preHandlerHookHandler } from 'fastify';
import { Failure } from '../../errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Arrival of the request, by the monotonic clock. */
    cameAtMs: number;
  }
}

/** Records the arrival of a request, so that the time for its body counts. */
export const noteArrival: onRequestHookHandler = (request, _reply, done) => {
  request.cameAtMs = performance.now();
  done();
};

/** @param timeoutMs from the arrival of the request to its response. The work goes on after it, so its outcome is unknown */
export function answerInTime(timeoutMs: number): preHandlerHookHandler {
  return (request, reply, done) => {
    if (request.body !== undefined) {
      const late = () => {
        if (!reply.sent) void reply.send(new Failure('outcome_unknown', 'this took too long', { retryAfterMs: 1000 }));
      };
      const timer = setTimeout(late, Math.max(0, request.cameAtMs + timeoutMs - performance.now()));
      reply.raw.once('close', () => clearTimeout(timer));
    }
    done();
  };
}
