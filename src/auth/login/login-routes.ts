/** Logging in by password. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { answers, exactly } from '../../http/input/schemas.ts';
import { LoginHeaders, LoginShape, Password } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import type { LoginService } from './login-service.ts';

export interface LoginRouteOptions {
  readonly auth: LoginService;
  readonly cookies: SessionCookies;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

export const loginRoutes: FastifyPluginAsyncTypebox<LoginRouteOptions> = async (app, { auth, cookies, loginLimit }) => {
  app.post(
    '/auth/login',
    {
      config: { rateLimit: loginLimit },
      schema: {
        tags: ['login'],
        operationId: 'logIn',
        summary: 'Log in with a username or e-mail address',
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
};
