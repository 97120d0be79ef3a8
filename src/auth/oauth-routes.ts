/** `/v1/auth/providers` and `/v1/auth/oauth`: the browser's way through a provider and back with a one-time code. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ProviderSettings } from '../config/identity-settings.ts';
import { Failure, type InputPath, invalid, toFailure } from '../errors.ts';
import type { Authenticator } from '../http/caller.ts';
import { answers, exactly, listOf, Nullable, redirectAnswers, Time, Uuid } from '../http/schemas.ts';
import { requireDeployment } from '../permissions.ts';
import type { LoginCookies } from './login-cookies.ts';
import { LoginHeaders, LoginShape } from './login-shape.ts';
import { cookiePathOf, type OAuthProvider } from './oauth-provider.ts';
import type { OAuthService } from './oauth-service.ts';

export interface OAuthRouteOptions {
  readonly oauth: OAuthService;
  readonly authenticator: Authenticator;
  readonly cookies: LoginCookies;
  readonly providers: ReadonlyMap<string, { readonly settings: ProviderSettings; readonly flow: OAuthProvider }>;
  readonly publicUrl: string;
  /** Where a login may return to, besides publicUrl. */
  readonly returnOrigins: readonly string[];
  readonly rateLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];
const returnCookie = 'parley-oauth-return';
const linkCookie = 'parley-oauth-link';
const bindingCookie = 'parley-oauth-binding';
const fresh = 'Needs a login, or a step up, that is fresh; otherwise `step_up_required`.';
const ProviderParams = exactly({ provider: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) });

export const oauthRoutes: FastifyPluginAsyncTypebox<OAuthRouteOptions> = async (
  app,
  { oauth, authenticator, cookies, providers, publicUrl, returnOrigins, rateLimit },
) => {
  const origins = new Set([new URL(publicUrl).origin, ...returnOrigins]);
  const config = { rateLimit };
  const cookieOptions = (provider: string) =>
    ({
      path: cookiePathOf(provider),
      httpOnly: true,
      sameSite: 'lax',
      maxAge: 600,
      secure: publicUrl.startsWith('https:'),
    }) as const;

  /** @throws Failure `invalid` for an address that is not on the list */
  function requireReturnTo(url: string | undefined, path: InputPath = '/returnTo'): string {
    if (url === undefined) return publicUrl;
    if (!URL.canParse(url) || !origins.has(new URL(url).origin)) throw invalid(path, 'not an allowed address');
    return new URL(url).href;
  }

  function requireProvider(name: string): OAuthProvider {
    const provider = providers.get(name);
    if (!provider) throw new Failure('not_found', 'no such login provider');
    return provider.flow;
  }

  app.get(
    '/auth/providers',
    {
      config,
      schema: {
        tags,
        summary: 'Ways to log in besides a password',
        security: [],
        response: answers(
          200,
          listOf(Type.Object({ name: Type.String(), kind: Type.String(), label: Type.String(), url: Type.String() })),
        ),
      },
    },
    async () => ({
      items: [...providers].map(([name, { settings }]) => ({
        name,
        kind: settings.kind,
        label: settings.label ?? name,
        url: `/v1/auth/oauth/${name}`,
      })),
      nextCursor: null,
    }),
  );

  app.get(
    '/auth/oauth/:provider',
    {
      config,
      schema: {
        tags,
        summary: 'Go to a provider and log in there',
        security: [],
        params: ProviderParams,
        querystring: exactly({
          returnTo: Type.Optional(Type.String({ maxLength: 2048 })),
          link: Type.Optional(Type.String({ maxLength: 200, description: 'From POST /v1/users/me/identities' })),
          binding: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z0-9_-]{43}$',
              description:
                'SHA-256 of a secret that the page keeps, base64url: the code is exchanged by whoever shows the secret',
            }),
          ),
        }),
        response: redirectAnswers,
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const { link, binding } = request.query;
      const flow = requireProvider(provider);
      const returnTo = requireReturnTo(request.query.returnTo);
      const url = await flow.start(request, reply);
      void reply.setCookie(returnCookie, returnTo, cookieOptions(provider));
      // What belongs to a login that was begun and left must not become part of this one: a linking, another page's secret.
      for (const [name, value] of [
        [linkCookie, link],
        [bindingCookie, binding],
      ] as const) {
        if (value === undefined) void reply.clearCookie(name, cookieOptions(provider));
        else void reply.setCookie(name, value, cookieOptions(provider));
      }
      return reply.redirect(url, 302);
    },
  );

  app.get(
    '/auth/oauth/:provider/callback',
    {
      config,
      schema: {
        tags,
        summary: 'Back from the provider: redirects to returnTo with #code=…, or #link=… when an account asked for it',
        security: [],
        params: ProviderParams,
        querystring: Type.Object({
          code: Type.Optional(Type.String({ maxLength: 4096 })),
          state: Type.Optional(Type.String({ maxLength: 512 })),
          error: Type.Optional(Type.String({ maxLength: 200 })),
          iss: Type.Optional(Type.String({ maxLength: 2048 })),
        }),
        response: redirectAnswers,
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const flow = requireProvider(provider);
      const returnTo = requireReturnTo(request.cookies[returnCookie]);
      const link = request.cookies[linkCookie];
      const binding = request.cookies[bindingCookie];
      for (const name of [returnCookie, linkCookie, bindingCookie])
        void reply.clearCookie(name, cookieOptions(provider));
      if (request.query.error !== undefined)
        return goBack(reply, returnTo, {
          error: /^[a-z_]{1,64}$/.test(request.query.error) ? request.query.error : 'failed',
        });
      const begunAt = Date.now();
      const person = await finish(flow, request, reply);
      if (link === undefined)
        return goBack(reply, returnTo, { code: await oauth.codeFor(person, { provider, begunAt, binding }) });
      return goBack(reply, returnTo, { link: await oauth.linkCodeFor(link, person, provider) });
    },
  );

  async function finish(flow: OAuthProvider, request: FastifyRequest, reply: FastifyReply) {
    try {
      return await flow.finish(request, reply);
    } catch (error) {
      const failure = toFailure(error);
      request.log.warn({ code: failure.code, reason: failure.message }, 'a login through a provider failed');
      throw failure;
    }
  }

  function goBack(reply: FastifyReply, returnTo: string, answer: Record<string, string>): FastifyReply {
    const url = new URL(returnTo);
    url.hash = new URLSearchParams(answer).toString();
    return reply.redirect(url.href, 302);
  }

  app.post(
    '/auth/oauth/token',
    {
      config,
      schema: {
        tags,
        summary: 'Exchange the code for a login',
        security: [],
        headers: LoginHeaders,
        body: exactly({
          code: Type.String({ minLength: 1, maxLength: 200 }),
          verifier: Type.Optional(
            Type.String({
              minLength: 43,
              maxLength: 128,
              description: 'The secret of `binding`, where the login began with one, and only there',
            }),
          ),
        }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) =>
      cookies.answer(request, reply, await oauth.exchange(request.body, cookies.deviceOf(request, reply))),
  );

  const Identity = Type.Object({
    id: Uuid,
    provider: Nullable(Type.String({ description: 'null: a host application' })),
    issuer: Type.String(),
    name: Nullable(Type.String()),
    createdAt: Time,
  });
  const mine = ['users'];

  app.get(
    '/users/me/identities',
    { schema: { tags: mine, summary: 'Who I am elsewhere', response: answers(200, listOf(Identity)) } },
    async (request) => ({
      items: await oauth.list((await authenticator.fromRequest(request)).userId),
      nextCursor: null,
    }),
  );

  app.post(
    '/users/me/identities',
    {
      config,
      schema: {
        tags: mine,
        summary: 'Begin to link a provider to my account: the browser goes to `url`',
        description: fresh,
        body: exactly({
          provider: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }),
          returnTo: Type.Optional(Type.String({ maxLength: 2048 })),
        }),
        response: answers(201, Type.Object({ url: Type.String() })),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'link_identity');
      const { provider, returnTo } = request.body;
      requireProvider(provider);
      const query = new URLSearchParams({
        returnTo: requireReturnTo(returnTo, '/returnTo'),
        link: await oauth.startLink(caller, provider),
      });
      return reply.code(201).send({ url: `${publicUrl.replace(/\/$/, '')}${cookiePathOf(provider)}?${query}` });
    },
  );

  app.post(
    '/users/me/identities/link',
    {
      config,
      schema: {
        tags: mine,
        summary: 'Link what the provider proved, by the code in #link=…',
        body: exactly({ code: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: answers(200, Identity),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'link_identity');
      return oauth.finishLink(caller, request.body.code);
    },
  );

  app.delete(
    '/users/me/identities/:identityId',
    {
      schema: {
        tags: mine,
        summary: 'Unlink a provider; the last way to log in stays',
        description: fresh,
        params: exactly({ identityId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'link_identity');
      await oauth.unlink(caller, request.params.identityId);
      return reply.code(204).send(null);
    },
  );
};
