/** Changing one's own password and e-mail address. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly } from '../../http/input/schemas.ts';
import { Password } from '../sessions/login-schemas.ts';
import type { AddressService } from './address-service.ts';
import type { PasswordService } from './password-service.ts';

export interface AccountRouteOptions {
  readonly addresses: AddressService;
  readonly accountPasswords: PasswordService;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['users'];

export const accountRoutes: FastifyPluginAsyncTypebox<AccountRouteOptions> = async (
  app,
  { addresses, accountPasswords, authenticator, loginLimit },
) => {
  const config = { rateLimit: loginLimit };

  app.put(
    '/users/me/password',
    {
      config,
      schema: {
        tags,
        operationId: 'changeMyPassword',
        summary: 'Change my password',
        description: 'Ends my other sessions. An account without a password needs a recent login or step-up.',
        body: exactly({ currentPassword: Type.Optional(Password), newPassword: Password }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await accountPasswords.change(await authenticator.fromRequest(request), request.body);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/users/me/email',
    {
      config,
      schema: {
        tags,
        operationId: 'requestEmailChange',
        summary: 'Request a change of my e-mail address',
        description:
          'The new address takes effect when its mailed link is followed. Needs the password, or a recent login or step-up.',
        body: exactly({ email: Type.String({ minLength: 1, maxLength: 1000 }), password: Type.Optional(Password) }),
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await addresses.changeEmail(await authenticator.fromRequest(request), request.body);
      return reply.code(202).send({});
    },
  );

  app.post(
    '/users/me/email/verification',
    {
      config,
      schema: {
        tags,
        operationId: 'resendVerificationMail',
        summary: 'Send the verification mail for my address again',
        description: 'Does nothing if the address is verified. Limited to a few mails an hour.',
        response: answers(202, Type.Object({})),
      },
    },
    async (request, reply) => {
      await addresses.resendVerification(await authenticator.fromRequest(request));
      return reply.code(202).send({});
    },
  );
};
