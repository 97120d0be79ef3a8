/** The pages behind mailed links: verifying an address and resetting a password. They need no login. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { answers, exactly } from '../../http/input/schemas.ts';
import { Password, Secret } from '../sessions/login-schemas.ts';
import type { AddressService } from './address-service.ts';
import type { PasswordService } from './password-service.ts';

export interface RecoveryRouteOptions {
  readonly addresses: AddressService;
  readonly accountPasswords: PasswordService;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];

export const recoveryRoutes: FastifyPluginAsyncTypebox<RecoveryRouteOptions> = async (
  app,
  { addresses, accountPasswords, authenticator, loginLimit },
) => {
  const config = { rateLimit: loginLimit };

  /** The caller, if there is one: an invalid login counts as none. */
  async function findCaller(request: FastifyRequest): Promise<Caller | undefined> {
    if (!authenticator.hasLogin(request)) return undefined;
    try {
      return await authenticator.fromRequest(request);
    } catch (error) {
      if (error instanceof Failure && [401, 403].includes(error.kind.http)) return undefined;
      throw error;
    }
  }

  app.post(
    '/auth/verify-email',
    {
      config,
      schema: {
        tags,
        operationId: 'verifyEmail',
        summary: 'Verify an e-mail address with the mailed token',
        description:
          'Needs no login. In a session of the account it also proves that one person owns both the account and the address. A page that a mailed link opened without such a session sends `addressOnly`: then the verification makes nobody an admin.',
        security: [{}, { bearer: [] }],
        body: exactly({
          token: Secret,
          addressOnly: Type.Optional(
            Type.Boolean({
              description: 'The person who followed the link may not own the account: do not apply `admins`',
            }),
          ),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const { token, addressOnly } = request.body;
      const caller = await findCaller(request);
      // An invalid login does not show that the person owns the account either.
      const isInvalidLogin = caller === undefined && authenticator.hasLogin(request);
      await addresses.verifyEmail(token, { caller, addressOnly: (addressOnly ?? false) || isInvalidLogin });
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/auth/password/forgot',
    {
      config,
      schema: {
        tags,
        operationId: 'requestPasswordReset',
        summary: 'Request a mail with a password reset link',
        description: 'The answer is the same whether or not there is an account with this address.',
        security: [],
        body: exactly({ email: Type.String({ minLength: 1, maxLength: 1000 }) }),
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await accountPasswords.forgot(request.body.email);
      return reply.code(202).send({});
    },
  );

  app.post(
    '/auth/password/reset',
    {
      config,
      schema: {
        tags,
        operationId: 'resetPassword',
        summary: 'Set a new password with the mailed token',
        description: 'Ends all sessions of the account.',
        security: [],
        body: exactly({ token: Secret, password: Password }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await accountPasswords.reset(request.body.token, request.body.password);
      return reply.code(204).send(null);
    },
  );
};
