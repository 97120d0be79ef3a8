/**
 * Requests without a login are answered 401 even when their path, query, body or type is bad as well: a caller who may
 * not call a route is told nothing about it. The check runs only for requests that failed before their handler, because
 * handlers begin with it themselves.
 */
import type { FastifyRequest, preHandlerHookHandler } from 'fastify';
import { Failure } from '../../errors.ts';

/** Proves the caller of a request. @throws Failure as `Authenticator.fromRequest` */
export type RequireCaller = (request: FastifyRequest) => Promise<unknown>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Everything about the request was good; the route's handler answers. */
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

/** Failures that say what is wrong with a request, as opposed to what is wrong with its caller or with us. */
const aboutInput = new Set([400, 404, 413, 415]);
/** Failures that say what is wrong with a caller. */
const aboutCaller = new Set([401, 403, 429]);

/** @returns what is wrong with the caller, where the route needs a login; else the failure that was found */
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
