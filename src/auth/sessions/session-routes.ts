/** Refreshing and ending the caller's session, and listing and ending all of them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import { LoginHeaders, LoginShape, Secret } from './login-schemas.ts';
import type { SessionCookies } from './session-cookies.ts';
import type { SessionService } from './session-service.ts';

export interface SessionRouteOptions {
  readonly sessions: SessionService;
  readonly cookies: SessionCookies;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const SessionShape = named(
  'Session',
  Type.Object({
    id: Uuid,
    userAgent: Nullable(Type.String()),
    address: Nullable(Type.String()),
    createdAt: Time,
    lastUsedAt: Time,
    current: Type.Boolean(),
  }),
);

export const sessionRoutes: FastifyPluginAsyncTypebox<SessionRouteOptions> = async (
  app,
  { sessions, cookies, authenticator, loginLimit },
) => {
  app.post(
    '/auth/refresh',
    {
      config: { rateLimit: loginLimit },
      schema: {
        tags: ['login'],
        operationId: 'refreshSession',
        summary: 'Exchange a refresh token for a new pair of tokens',
        description:
          'Without a token in the body, the refresh token cookie is exchanged and the new tokens are set as cookies.',
        security: [],
        headers: LoginHeaders,
        body: Type.Optional(Nullable(exactly({ refreshToken: Type.Optional(Secret) }))),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const { refreshToken } = request.body ?? {};
      if (refreshToken !== undefined) return cookies.answer(request, reply, await sessions.refresh(refreshToken));
      const kept = cookies.refreshToken(request);
      if (kept === undefined) throw invalid('/refreshToken', 'is missing');
      return cookies.keep(request, reply, await sessions.refresh(kept));
    },
  );

  app.post(
    '/auth/logout',
    {
      schema: {
        tags: ['login'],
        operationId: 'logOut',
        summary: 'End this session',
        description: 'For a user of a host application, ends the tokens issued to them until now.',
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await sessions.logout(await authenticator.fromRequest(request));
      cookies.clear(request, reply);
      return reply.code(204).send(null);
    },
  );

  const tags = ['users'];

  app.get(
    '/users/me/sessions',
    {
      schema: {
        tags,
        operationId: 'listMySessions',
        summary: 'List my sessions',
        description: 'One for each login that is still valid, the newest first.',
        response: answers(200, listOf(SessionShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const found = await sessions.list(caller.userId);
      return {
        items: found.map((session) => ({ ...session, current: session.id === caller.sessionId })),
        nextCursor: null,
      };
    },
  );

  app.delete(
    '/users/me/sessions',
    {
      schema: {
        tags,
        operationId: 'endMySessions',
        summary: 'End all my sessions',
        description: 'Also ends the tokens that host applications issued until now.',
        querystring: exactly({
          keep: Type.Optional(Type.Literal('current', { description: 'Keep the session that makes this request' })),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const keep = request.query.keep === 'current';
      await sessions.endAll(await authenticator.fromRequest(request), keep);
      if (!keep) cookies.clear(request, reply);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/users/me/sessions/:sessionId',
    {
      schema: {
        tags,
        operationId: 'endMySession',
        summary: 'End one of my sessions',
        description: 'Closes its sockets at once.',
        params: exactly({ sessionId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await sessions.end(caller.userId, request.params.sessionId);
      if (request.params.sessionId === caller.sessionId) cookies.clear(request, reply);
      return reply.code(204).send(null);
    },
  );
};
