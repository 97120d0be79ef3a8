/** Signing up: as a user, as a guest, from guest to user, and as the first admin. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly } from '../../http/input/schemas.ts';
import { LoginHeaders, LoginShape, Password } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import type { RegistrationService } from './registration-service.ts';

export interface RegistrationRouteOptions {
  readonly registrations: RegistrationService;
  readonly cookies: SessionCookies;
  readonly authenticator: Authenticator;
  /** Whether a request was made on this machine and not forwarded by a proxy. */
  readonly isLocal: (request: FastifyRequest) => boolean;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
  readonly guestLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];
const registrationFields = {
  username: Type.String({ minLength: 1, maxLength: 64 }),
  email: Type.String({ minLength: 1, maxLength: 1000 }),
  password: Password,
  displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
};
const SetupToken = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'From the setup link: makes the account the first admin',
});

export const registrationRoutes: FastifyPluginAsyncTypebox<RegistrationRouteOptions> = async (
  app,
  { registrations, cookies, authenticator, isLocal, loginLimit, guestLimit },
) => {
  const config = { rateLimit: loginLimit };

  app.post(
    '/auth/register',
    {
      config,
      schema: {
        tags,
        operationId: 'signUp',
        summary: 'Sign up',
        description:
          'The answer is the same if the address is taken; its owner gets a mail. A taken username is `conflict`.',
        security: [],
        headers: LoginHeaders,
        body: exactly({ ...registrationFields, setupToken: Type.Optional(SetupToken) }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => {
      const { setupToken, ...registration } = request.body;
      const from = { isLocal: isLocal(request), setupToken };
      const login = await registrations.register(registration, cookies.deviceOf(request, reply), from);
      return reply.code(201).send(cookies.answer(request, reply, login));
    },
  );

  app.post(
    '/auth/setup',
    {
      config,
      schema: {
        tags,
        operationId: 'becomeFirstAdmin',
        summary: 'Become the first admin with a setup link',
        description: 'For an existing account. To sign up as the admin, send `setupToken` to `/v1/auth/register`.',
        headers: LoginHeaders,
        body: exactly({ setupToken: SetupToken }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      return cookies.answer(request, reply, await registrations.claimSetup(caller, request.body.setupToken));
    },
  );

  app.post(
    '/auth/upgrade',
    {
      config,
      schema: {
        tags,
        operationId: 'upgradeGuest',
        summary: 'Turn a guest account into a user account',
        description: 'The account keeps its id, rooms and messages.',
        headers: LoginHeaders,
        body: exactly(registrationFields),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const login = await registrations.upgrade(caller, request.body);
      return cookies.answer(request, reply, login);
    },
  );

  app.post(
    '/auth/guest',
    {
      config: { rateLimit: guestLimit },
      schema: {
        tags,
        operationId: 'logInAsGuest',
        summary: 'Create a guest account and log in',
        description: 'Where the operator allows guests. The account is lost with its tokens.',
        security: [],
        headers: LoginHeaders,
        body: exactly({ displayName: Type.String({ minLength: 1, maxLength: 400 }) }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => {
      const login = await registrations.guest(request.body.displayName, cookies.deviceOf(request, reply));
      return reply.code(201).send(cookies.answer(request, reply, login));
    },
  );
};
