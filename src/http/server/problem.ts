/** Failures as RFC 9457 problem details. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { linkFailure } from '../../database/database-errors.ts';
import { Failure, type FailureCode, failures, invalid, toFailure } from '../../errors.ts';
import { invalidInput, type ValidationError } from '../input/input-errors.ts';

/** Fastify's own errors as failures of the API. */
const frameworkCodes: Readonly<Record<string, FailureCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid',
  FST_ERR_BAD_URL: 'invalid',
  FST_ERR_PARAM_TOO_LONG: 'not_found',
  FST_ERR_HANDLER_TIMEOUT: 'outcome_unknown',
};

/**
 * What a status means that a library answers with. Several failures share a status, and each but the plain one promises
 * something that only our own code can know.
 */
const plainCodes: Readonly<Record<number, FailureCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  409: 'conflict',
  413: 'too_large',
  415: 'unsupported_media_type',
  426: 'upgrade_required',
  429: 'rate_limited',
  431: 'headers_too_large',
};

/** Anything thrown by a route, as the failure that the client sees. `writes`: the request may have changed something. */
export function failureOf(error: FastifyError | Error, writes: boolean): Failure {
  if (error instanceof Failure) return error;
  const link = linkFailure(error, writes);
  if (link) return link;
  const { code, statusCode, validation, validationContext } = error as FastifyError & { validationContext?: string };
  if (validation) {
    return invalidInput(validation as readonly ValidationError[], validationContext);
  }
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || code === 'FST_ERR_CTP_INVALID_JSON_BODY')
    return invalid('/body', 'not the JSON that is allowed');
  const known = frameworkCodes[code ?? ''];
  if (known) return new Failure(known, failures[known].title, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const plain = plainCodes[statusCode] ?? 'invalid';
    return new Failure(plain, failures[plain].title, { cause: error });
  }
  return toFailure(error);
}

/** The body was incomplete, so nothing was done yet. The rest of it is not awaited. */
function failureWhileReading(error: FastifyError | Error, reply: FastifyReply): Failure {
  void reply.header('connection', 'close');
  const late = (error as FastifyError).code === 'FST_ERR_HANDLER_TIMEOUT';
  return late ? new Failure('request_timeout', 'the body did not arrive in time') : failureOf(error, false);
}

export function problemOf(failure: Failure): Record<string, unknown> {
  const { http, title } = failure.kind;
  return {
    type: `https://parley.chat/problems/${failure.code}`,
    title,
    status: http,
    detail: failure.code === 'internal' ? 'an unexpected error' : failure.message,
    code: failure.code,
    ...(failure.errors ? { errors: failure.errors } : {}),
    ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
    ...failure.details,
  };
}

/** The failure of a request. The rest of an incomplete body is not awaited. */
export function failureOfRequest(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): Failure {
  return request.raw.complete
    ? failureOf(error, request.method !== 'GET' && request.method !== 'HEAD')
    : failureWhileReading(error, reply);
}

/** Responds with the problem. The cause goes to the log, never to the client. @param onRefused counts the failure */
export function sendProblem(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
  onRefused: (code: FailureCode) => void,
): FastifyReply {
  const failure = failureOfRequest(error, request, reply);
  onRefused(failure.code);
  if (failure.code === 'internal')
    request.log.error({ err: error, reqId: request.id }, 'a request failed unexpectedly');
  if (failure.retryAfterMs !== undefined)
    void reply.header('retry-after', String(Math.max(1, Math.ceil(failure.retryAfterMs / 1000))));
  // RFC 9110 §15.5.22: the response names the required protocol.
  if (failure.code === 'upgrade_required') void reply.header('upgrade', 'websocket');
  return reply.code(failure.kind.http).type('application/problem+json').send(problemOf(failure));
}
