/** One's own password and address. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly } from '../../http/input/schemas.ts';
import { Password } from '../sessions/login-schemas.ts';
import type { AccountService } from './account-service.ts';

export interface AccountRouteOptions {
  readonly accounts: AccountService;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['users'];

export const accountRoutes: FastifyPluginAsyncTypebox<AccountRouteOptions> = async (
  app,
  { accounts, authenticator, loginLimit },
) => {
  const config = { rateLimit: loginLimit };

  app.put(
    '/users/me/password',
    {
      config,
      schema: {
        tags,
        summary: 'Change my password; my other logins end',
        description: 'An account without a password needs a login, or a step up, that is fresh.',
        body: exactly({ currentPassword: Type.Optional(Password), newPassword: Password }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await accounts.changePassword(await authenticator.fromRequest(request), request.body);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/users/me/email',
    {
      config,
      schema: {
        tags,
        summary: 'Ask for another address: it counts once its mailed link was followed',
        description: 'Needs the password, or a login, or a step up, that is fresh.',
        body: exactly({ email: Type.String({ minLength: 1, maxLength: 1000 }), password: Type.Optional(Password) }),
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await accounts.changeEmail(await authenticator.fromRequest(request), request.body);
      return reply.code(202).send({});
    },
  );

  app.post(
    '/users/me/email/verification',
    {
      config,
      schema: {
        tags,
        summary: 'Have the link that proves my address mailed again',
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await accounts.resendVerification(await authenticator.fromRequest(request));
      return reply.code(202).send({});
    },
  );
};
