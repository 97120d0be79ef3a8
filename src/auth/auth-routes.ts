/** `/v1/auth` and one's sessions. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../http/caller.ts';
import { answers, exactly, listOf, Nullable, Time, Uuid } from '../http/schemas.ts';
import type { AuthService } from './auth-service.ts';
import { deviceOf, LoginShape } from './login-shape.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface AuthRouteOptions {
  readonly auth: AuthService;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
  readonly guestLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];
const Secret = Type.String({ minLength: 1, maxLength: 512 });
// Longer passwords are refused by the rule about their bytes, before they are hashed.
const Password = Type.String({ minLength: 1, maxLength: 4096 });
const SessionShape = Type.Object({
  id: Uuid,
  userAgent: Nullable(Type.String()),
  address: Nullable(Type.String()),
  createdAt: Time,
  lastUsedAt: Time,
  current: Type.Boolean(),
});

export const authRoutes: FastifyPluginAsyncTypebox<AuthRouteOptions> = async (
  app,
  { auth, authenticator, loginLimit, guestLimit },
) => {
  const limited = { rateLimit: loginLimit };

  app.post(
    '/auth/register',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Sign up',
        security: [],
        body: exactly({
          username: Type.String({ minLength: 1, maxLength: 64 }),
          email: Type.String({ minLength: 1, maxLength: 1000 }),
          password: Password,
          displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
        }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => reply.code(201).send(await auth.register(request.body, deviceOf(request))),
  );

  app.post(
    '/auth/login',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Log in by username or address',
        security: [],
        body: exactly({ login: Type.String({ minLength: 1, maxLength: 320 }), password: Password }),
        response: answers(200, LoginShape),
      },
    },
    async (request) => auth.login(request.body.login, request.body.password, deviceOf(request)),
  );

  app.post(
    '/auth/guest',
    {
      config: { rateLimit: guestLimit },
      schema: {
        tags,
        summary: 'Come in as a guest',
        security: [],
        body: exactly({ displayName: Type.String({ minLength: 1, maxLength: 400 }) }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => reply.code(201).send(await auth.guest(request.body.displayName, deviceOf(request))),
  );

  app.post(
    '/auth/refresh',
    {
      config: limited,
      schema: {
        tags,
        summary: 'A new pair of tokens for a refresh token',
        security: [],
        body: exactly({ refreshToken: Secret }),
        response: answers(200, LoginShape),
      },
    },
    async (request) => auth.refresh(request.body.refreshToken),
  );

  app.post(
    '/auth/logout',
    { schema: { tags, summary: 'End this login', response: answers(204, Type.Null()) } },
    async (request, reply) => {
      await auth.logout(await authenticator.fromRequest(request));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/verify-email',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Prove an address by its mailed token',
        security: [],
        body: exactly({ token: Secret }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await auth.verifyEmail(request.body.token);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/password/forgot',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Have a reset link mailed',
        security: [],
        body: exactly({ email: Type.String({ minLength: 1, maxLength: 1000 }) }),
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await auth.forgotPassword(request.body.email);
      return reply.code(202).send({});
    },
  );

  app.post(
    '/auth/password/reset',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Set a new password by the mailed token',
        security: [],
        body: exactly({ token: Secret, password: Password }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await auth.resetPassword(request.body.token, request.body.password);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/users/me/sessions',
    { schema: { tags: ['users'], summary: 'My logins', response: answers(200, listOf(SessionShape)) } },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const found = await auth.listSessions(caller.userId);
      return {
        items: found.map((session) => ({ ...session, current: session.id === caller.sessionId })),
        nextCursor: null,
      };
    },
  );

  app.delete(
    '/users/me/sessions',
    { schema: { tags: ['users'], summary: 'End all my logins, this one too', response: answers(204, Type.Null()) } },
    async (request, reply) => {
      await auth.endAllSessions((await authenticator.fromRequest(request)).userId);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/users/me/sessions/:sessionId',
    {
      schema: {
        tags: ['users'],
        summary: 'End one of my logins',
        params: exactly({ sessionId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await auth.endSession(caller.userId, request.params.sessionId);
      return reply.code(204).send(null);
    },
  );
};

/** `/.well-known/jwks.json`: what others need to check Parley's tokens. */
export const keyRoutes: FastifyPluginAsyncTypebox<{ keys: SigningKeys }> = async (app, { keys }) => {
  app.get(
    '/.well-known/jwks.json',
    { schema: { tags, summary: 'Public keys of access tokens (RFC 7517)', security: [] } },
    async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send({ keys: keys.publicJwks() }),
  );
};
