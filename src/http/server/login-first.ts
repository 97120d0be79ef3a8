/**
 * Answers 401 to requests without a login even if their path, query, body or type is invalid too, so that a caller without
 * access learns nothing about a route. The check runs only for requests that failed before their handler, because handlers
 * start with it.
 */
import type { FastifyRequest, preHandlerHookHandler } from 'fastify';
import { Failure } from '../../errors.ts';

/** Proves the caller of a request. @throws Failure as `Authenticator.fromRequest` */
export type RequireCaller = (request: FastifyRequest) => Promise<unknown>;

declare module 'fastify' {
  interface FastifyRequest {
    /** The request passed all checks and has reached its handler. */
    isHandled: boolean;
  }
}

export const noteHandled: preHandlerHookHandler = (request, _reply, done) => {
  request.isHandled = true;
  done();
};

/** Routes of the API need a login unless their documentation says otherwise (`security` of OpenAPI). */
function needsLogin({ url, routeOptions: { url: route, schema } }: FastifyRequest): boolean {
  if (route === undefined || !url.startsWith('/v1/') || !schema) return false;
  const { security, hide } = schema as { security?: unknown; hide?: boolean };
  return security === undefined && hide !== true;
}

/** Statuses of failures about the request, as opposed to its caller or the server. */
const aboutInput = new Set([400, 404, 413, 415]);
/** Statuses of failures about the caller. */
const aboutCaller = new Set([401, 403, 429]);

/** @returns the failure of the caller's login, if the route needs one; else the given failure */
export async function putLoginFirst(
  failure: Failure,
  request: FastifyRequest,
  requireCaller: RequireCaller,
): Promise<Failure> {
  if (request.isHandled || !aboutInput.has(failure.kind.http) || !needsLogin(request)) return failure;
  try {
    await requireCaller(request);
  } catch (error) {
    if (error instanceof Failure && aboutCaller.has(error.kind.http)) return error;
  }
  return failure;
}
