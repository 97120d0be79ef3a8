/**
 * Requests with a body are answered in time, too. Fastify's `handlerTimeout` watches for callers that went away by an event
 * that Node emits when a body has been read as well, and disarms itself then
 * (https://github.com/fastify/fastify/pull/6725): until that is mended these requests get a timer of ours.
 */
import type { onRequestHookHandler, preHandlerHookHandler } from 'fastify';
import { Failure } from '../../errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When the request came, by the monotonic clock. */
    cameAtMs: number;
  }
}

/** Notes when a request came: the time that its body takes counts. */
export const noteArrival: onRequestHookHandler = (request, _reply, done) => {
  request.cameAtMs = performance.now();
  done();
};

/** @param timeoutMs from the request's arrival to its answer. The work itself goes on: what becomes of it is not known */
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
