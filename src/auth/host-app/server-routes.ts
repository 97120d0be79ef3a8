/** Routes only for other servers, with an API key. What users can do as well, servers do on the users' routes. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import {
  answers,
  exactly,
  IdempotencyHeaders,
  Nullable,
  PictureUrl,
  StorableText,
  Uuid,
} from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { OwnUserShape } from '../../user/profile/user-routes.ts';
import { LoginShape } from '../sessions/login-schemas.ts';
import type { ServerUsers } from './server-users.ts';

export interface ServerRouteOptions {
  readonly serverUsers: ServerUsers;
  readonly authenticator: Authenticator;
  readonly idempotency: IdempotencyKeys;
}

const tags = ['servers'];
const UserParams = exactly({ userId: Uuid });

export const serverRoutes: FastifyPluginAsyncTypebox<ServerRouteOptions> = async (
  app,
  { serverUsers, authenticator, idempotency },
) => {
  async function requireServer(request: Parameters<Authenticator['fromRequest']>[0]) {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'manage_users');
    return caller;
  }

  app.post(
    '/users',
    {
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'createUserAccount',
        summary: 'Create an account',
        description: 'Answers 200 with the existing account if the identity has one already.',
        headers: IdempotencyHeaders,
        body: exactly({
          username: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
          avatarUrl: Type.Optional(Nullable(PictureUrl)),
          email: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
          emailVerified: Type.Optional(Type.Boolean()),
          identity: Type.Optional(
            exactly({
              issuer: Type.String({ minLength: 1, maxLength: 2048 }),
              subject: StorableText({ minLength: 1, maxLength: 255 }),
            }),
          ),
        }),
        response: { ...answers(200, OwnUserShape), 201: OwnUserShape },
      },
    },
    async (request, reply) => {
      const caller = await requireServer(request);
      return idempotency.answer(request, reply, caller.userId, async () => {
        const { user, created } = await serverUsers.create(request.body);
        return { status: created ? 201 : 200, body: user };
      });
    },
  );

  // Not idempotent: the answer contains secrets, so it is not stored. A repeat opens another session.
  app.post(
    '/users/:userId/sessions',
    {
      config: { scope: 'sessions:write' },
      schema: {
        tags,
        operationId: 'openUserSession',
        summary: 'Open a session for a user',
        description: 'Refused for moderators and admins, whose rights exceed the scopes of a key.',
        params: UserParams,
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => {
      await requireServer(request);
      const login = await serverUsers.openSession(request.params.userId, {
        userAgent: undefined,
        address: undefined,
        key: undefined,
        isServer: true,
      });
      return reply.code(201).send(login);
    },
  );

  app.delete(
    '/users/:userId/sessions',
    {
      config: { scope: 'sessions:write' },
      schema: {
        tags,
        operationId: 'endUserSessions',
        summary: 'End all sessions of a user',
        description: 'Also ends the tokens that host applications issued to the user until now.',
        params: UserParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await requireServer(request);
      await serverUsers.endSessions(request.params.userId);
      return reply.code(204).send(null);
    },
  );
};
