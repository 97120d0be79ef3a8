/** `/v1/auth` and one's sessions. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Failure, invalid } from '../../errors.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, Time, Uuid } from '../../http/input/schemas.ts';
import type { AccountService } from '../account/account-service.ts';
import type { SigningKeys } from '../credentials/signing-keys.ts';
import { LoginHeaders, LoginShape, Password, Secret } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import type { LoginService } from './login-service.ts';

export interface LoginRouteOptions {
  readonly auth: LoginService;
  readonly accounts: AccountService;
  readonly cookies: SessionCookies;
  readonly authenticator: Authenticator;
  /** Whether a request was made on this machine, by nobody else through it. */
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
const Registration = exactly(registrationFields);
const SetupToken = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'From the setup link: makes the account the first admin',
});
const SessionShape = Type.Object({
  id: Uuid,
  userAgent: Nullable(Type.String()),
  address: Nullable(Type.String()),
  createdAt: Time,
  lastUsedAt: Time,
  current: Type.Boolean(),
});

export const loginRoutes: FastifyPluginAsyncTypebox<LoginRouteOptions> = async (
  app,
  { auth, accounts, cookies, authenticator, isLocal, loginLimit, guestLimit },
) => {
  const limited = { rateLimit: loginLimit };

  /** Who calls a route that asks for no login: one that is not good is as good as none. */
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
    '/auth/register',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Sign up',
        security: [],
        headers: LoginHeaders,
        body: exactly({ ...registrationFields, setupToken: Type.Optional(SetupToken) }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => {
      const { setupToken, ...registration } = request.body;
      const from = { isLocal: isLocal(request), setupToken };
      const login = await auth.register(registration, cookies.deviceOf(request, reply), from);
      return reply.code(201).send(cookies.answer(request, reply, login));
    },
  );

  app.post(
    '/auth/setup',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Become the first admin by a setup link',
        description: 'For an account that exists; a new one gives `setupToken` when it signs up.',
        headers: LoginHeaders,
        body: exactly({ setupToken: SetupToken }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      return cookies.answer(request, reply, await auth.claimSetup(caller, request.body.setupToken));
    },
  );

  app.post(
    '/auth/upgrade',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Make a guest’s account a user’s: id, rooms and messages stay',
        headers: LoginHeaders,
        body: Registration,
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const login = await auth.upgrade(caller, request.body);
      return cookies.answer(request, reply, login);
    },
  );

  app.post(
    '/auth/login',
    {
      config: limited,
      schema: {
        tags,
        summary: 'Log in by username or address',
        security: [],
        description: 'An account with second factors answers 401 `second_factor_required` with a `challenge`.',
        headers: LoginHeaders,
        body: exactly({ login: Type.String({ minLength: 1, maxLength: 1000 }), password: Password }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const { login, password } = request.body;
      return cookies.answer(request, reply, await auth.login(login, password, cookies.deviceOf(request, reply)));
    },
  );

  app.post(
    '/auth/guest',
    {
      config: { rateLimit: guestLimit },
      schema: {
        tags,
        summary: 'Come in as a guest',
        security: [],
        headers: LoginHeaders,
        body: exactly({ displayName: Type.String({ minLength: 1, maxLength: 400 }) }),
        response: answers(201, LoginShape),
      },
    },
    async (request, reply) => {
      const login = await auth.guest(request.body.displayName, cookies.deviceOf(request, reply));
      return reply.code(201).send(cookies.answer(request, reply, login));
    },
  );

  app.post(
    '/auth/refresh',
    {
      config: limited,
      schema: {
        tags,
        summary: 'A new pair of tokens for a refresh token',
        description: 'Without a token in the body the one of the cookie is exchanged, and stays in cookies.',
        security: [],
        headers: LoginHeaders,
        body: Type.Optional(Nullable(exactly({ refreshToken: Type.Optional(Secret) }))),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const { refreshToken } = request.body ?? {};
      if (refreshToken !== undefined) return cookies.answer(request, reply, await auth.refresh(refreshToken));
      const kept = cookies.refreshToken(request);
      if (kept === undefined) throw invalid('/refreshToken', 'is missing');
      return cookies.keep(request, reply, await auth.refresh(kept));
    },
  );

  app.post(
    '/auth/logout',
    {
      schema: {
        tags,
        summary: 'End this login; a host application’s user ends the tokens issued until now',
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await auth.logout(await authenticator.fromRequest(request));
      cookies.clear(request, reply);
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
        description:
          'Needs no login; in a login of the account it also shows that one person holds account and address. A page that a mailed link opened where that login is not says `addressOnly`: it makes nobody an admin.',
        security: [{}, { bearer: [] }],
        body: exactly({
          token: Secret,
          addressOnly: Type.Optional(
            Type.Boolean({ description: 'Whoever followed the link need not know the account: `admins` do not count' }),
          ),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const { token, addressOnly } = request.body;
      // A login that is not good is no sign of the account either.
      const caller = await findCaller(request);
      const unproved = caller === undefined && authenticator.hasLogin(request);
      await accounts.verifyEmail(token, { caller, addressOnly: (addressOnly ?? false) || unproved });
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
      await accounts.forgotPassword(request.body.email);
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
      await accounts.resetPassword(request.body.token, request.body.password);
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
    {
      schema: {
        tags: ['users'],
        summary: 'End all my logins',
        description: 'Tokens of host applications that were issued until now end as well.',
        querystring: exactly({
          keep: Type.Optional(Type.Literal('current', { description: 'All but the one that asks' })),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const keep = request.query.keep === 'current';
      await auth.endAllSessions(await authenticator.fromRequest(request), keep);
      if (!keep) cookies.clear(request, reply);
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
      if (request.params.sessionId === caller.sessionId) cookies.clear(request, reply);
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
