/** `/v1/auth/providers` and `/v1/auth/oauth`: the browser's way through a provider and back with a one-time code. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ProviderSettings } from '../config/identity-settings.ts';
import { Failure, invalid, toFailure } from '../errors.ts';
import { answers, exactly, listOf } from '../http/schemas.ts';
import { deviceOf, LoginShape } from './login-shape.ts';
import type { OAuthProvider } from './oauth-provider.ts';
import type { OAuthService } from './oauth-service.ts';

export interface OAuthRouteOptions {
  readonly oauth: OAuthService;
  readonly providers: ReadonlyMap<string, { readonly settings: ProviderSettings; readonly flow: OAuthProvider }>;
  readonly publicUrl: string;
  /** Where a login may return to, besides publicUrl. */
  readonly returnOrigins: readonly string[];
  readonly rateLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];
const returnCookie = 'parley-oauth-return';
const cookieOptions = { path: '/v1/auth/oauth', httpOnly: true, sameSite: 'lax', maxAge: 600 } as const;
const ProviderParams = exactly({ provider: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) });

export const oauthRoutes: FastifyPluginAsyncTypebox<OAuthRouteOptions> = async (
  app,
  { oauth, providers, publicUrl, returnOrigins, rateLimit },
) => {
  const origins = new Set([new URL(publicUrl).origin, ...returnOrigins]);
  const config = { rateLimit };

  /** @throws Failure `invalid` for an address that is not on the list */
  function requireReturnTo(url: string | undefined): string {
    if (url === undefined) return publicUrl;
    if (!URL.canParse(url) || !origins.has(new URL(url).origin))
      throw invalid('/querystring/returnTo', 'not an allowed address');
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
        querystring: exactly({ returnTo: Type.Optional(Type.String({ maxLength: 2048 })) }),
      },
    },
    async (request, reply) => {
      const flow = requireProvider(request.params.provider);
      const returnTo = requireReturnTo(request.query.returnTo);
      const url = await flow.start(request, reply);
      return reply
        .setCookie(returnCookie, returnTo, { ...cookieOptions, secure: publicUrl.startsWith('https:') })
        .redirect(url, 302);
    },
  );

  app.get(
    '/auth/oauth/:provider/callback',
    {
      config,
      schema: {
        tags,
        summary: 'Back from the provider: redirects to returnTo with #code=…',
        security: [],
        params: ProviderParams,
        querystring: Type.Object({
          code: Type.Optional(Type.String({ maxLength: 4096 })),
          state: Type.Optional(Type.String({ maxLength: 512 })),
          error: Type.Optional(Type.String({ maxLength: 200 })),
        }),
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const flow = requireProvider(provider);
      const returnTo = requireReturnTo(request.cookies[returnCookie]);
      void reply.clearCookie(returnCookie, cookieOptions);
      if (request.query.error !== undefined)
        return goBack(reply, returnTo, {
          error: /^[a-z_]{1,64}$/.test(request.query.error) ? request.query.error : 'failed',
        });
      const code = await oauth.codeFor(await finish(flow, request, reply), provider);
      return goBack(reply, returnTo, { code });
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
        body: exactly({ code: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: answers(200, LoginShape),
      },
    },
    async (request) => oauth.exchange(request.body.code, deviceOf(request)),
  );
};
