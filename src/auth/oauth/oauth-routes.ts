/** `/v1/auth/providers` and `/v1/auth/oauth`: the browser's way through a provider and back with a one-time code. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure, type InputPath, invalid, toFailure } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, redirectAnswers, Time, Uuid } from '../../http/input/schemas.ts';
import { failureOf } from '../../http/server/problem.ts';
import { requireDeployment } from '../../permissions.ts';
import { LoginHeaders, LoginShape } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import { textOf } from './identity-claims.ts';
import type { LoginFlows } from './login-flows.ts';
import { type OAuthProvider, startPathOf } from './oauth-provider.ts';
import type { OAuthService } from './oauth-service.ts';

export interface OAuthRouteOptions {
  readonly oauth: OAuthService;
  readonly flows: LoginFlows;
  readonly authenticator: Authenticator;
  readonly cookies: SessionCookies;
  readonly providers: ReadonlyMap<string, { readonly settings: ProviderSettings; readonly flow: OAuthProvider }>;
  readonly publicUrl: string;
  /** Where a login may return to, besides publicUrl. */
  readonly returnOrigins: readonly string[];
  readonly rateLimit: { readonly max: number; readonly timeWindow: number };
}

/** Besides code and state a form may hold an id token, which is not looked at. */
const formBytesMax = 64 * 1024;
const tags = ['login'];
const fresh = 'Needs a login, or a step up, that is fresh; otherwise `step_up_required`.';
/** A person's browser that follows a link, as opposed to a program. */
const isPageVisit = ({ headers }: FastifyRequest) => headers.accept?.includes('text/html') ?? false;
const ProviderParams = exactly({ provider: Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }) });

export const oauthRoutes: FastifyPluginAsyncTypebox<OAuthRouteOptions> = async (
  app,
  { oauth, flows, authenticator, cookies, providers, publicUrl, returnOrigins, rateLimit },
) => {
  const origins = new Set([new URL(publicUrl).origin, ...returnOrigins]);
  const config = { rateLimit };
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
      const { start } = requireProvider(provider);
      const returnTo = requireReturnTo(request.query.returnTo);
      try {
        const url = await flows.begin({ request, reply, provider }, { returnTo, link, binding }, start);
        return reply.redirect(url, 302);
      } catch (error) {
        if (!isPageVisit(request)) throw error;
        return goBack(reply, returnTo, { error: noteFailure(error, request).code });
      }
    },
  );

  app.get(
    '/auth/oauth/:provider/callback',
    {
      config,
      // A person looks at the answer, whatever it is: also when there were too many.
      errorHandler: (error, request, reply) => {
        const { provider } = request.params;
        if (!providers.has(provider)) throw error;
        return goBack(reply, publicUrl, { error: noteFailure(error, request).code });
      },
      schema: {
        tags,
        summary: 'Back from the provider: redirects to returnTo with #code=…, or #link=… when an account asked for it',
        description:
          'Every failure redirects too, with #error=…: what the provider says (`access_denied`), `expired` for a login that was not begun in this browser, has ended or was used, or the code of a failure.',
        security: [],
        params: ProviderParams,
        // Anything else is for other programs, and for nobody to see as JSON.
        querystring: Type.Object({
          code: Type.Optional(Type.Unknown({ description: 'Of the provider' })),
          state: Type.Optional(Type.Unknown({ description: 'From the start of the login' })),
          error: Type.Optional(Type.Unknown({ description: 'Why the provider did not log in' })),
          iss: Type.Optional(Type.Unknown({ description: 'The provider (RFC 9207)' })),
        }),
        response: redirectAnswers,
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const { finish } = requireProvider(provider);
      const query = request.query as Record<string, unknown>;
      const [state, code, error] = [query.state, query.code, query.error].map((value) => textOf(value, 4096));
      const { returnTo = publicUrl, flow } =
        state === undefined ? {} : await flows.end({ request, reply, provider }, state);
      const place = origins.has(new URL(returnTo).origin) ? returnTo : publicUrl;
      if (query.error !== undefined)
        return goBack(reply, place, { error: /^[a-z_]{1,64}$/.test(error ?? '') ? error! : 'failed' });
      if (!flow || state === undefined || code === undefined) return goBack(reply, place, { error: 'expired' });
      try {
        const begunAt = Date.now();
        const answer = {
          state,
          code,
          iss: query.iss === undefined ? undefined : String(query.iss),
          verifier: flow.verifier,
          user: textOf(query.user),
        };
        const person = await finish(answer);
        const { link, binding } = flow;
        if (link !== undefined) return goBack(reply, place, { link: await oauth.linkCodeFor(link, person, provider) });
        return goBack(reply, place, { code: await oauth.codeFor(person, { provider, begunAt, binding }) });
      } catch (failure) {
        return goBack(reply, place, { error: noteFailure(failure, request).code });
      }
    },
  );

  // Apple posts a form as soon as it is asked for more than an identity, and others do with `response_mode=form_post`.
  await app.register(async (forms) => {
    forms.removeAllContentTypeParsers();
    forms.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: formBytesMax },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    );
    forms.post(
      '/auth/oauth/:provider/callback',
      {
        config,
        errorHandler: (error, request, reply) => {
          const { provider } = request.params as { provider: string };
          if (!providers.has(provider)) throw error;
          return goBack(reply, publicUrl, { error: noteFailure(error, request).code });
        },
        schema: {
          tags,
          summary: 'The same for providers that post a form (`response_mode=form_post`)',
          security: [],
          params: ProviderParams,
          response: { 303: redirectAnswers[302], '4xx': redirectAnswers['4xx'], '5xx': redirectAnswers['5xx'] },
        },
      },
      async (request, reply) => {
        requireProvider((request.params as { provider: string }).provider);
        const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
        const query = new URLSearchParams();
        for (const name of ['code', 'state', 'error', 'iss', 'user']) {
          const value = form.get(name);
          if (value !== null) query.set(name, value);
        }
        // Another site's form brings no cookies; the browser follows this with them (`SameSite=Lax`).
        return reply.redirect(`?${query}`, 303);
      },
    );
  });

  function noteFailure(error: unknown, { log }: FastifyRequest): { code: string } {
    const failure = error instanceof Error ? failureOf(error, true) : toFailure(error);
    log.warn({ code: failure.code, reason: failure.message }, 'a login through a provider failed');
    // What does not fit is for the provider and us to know: a person can only begin again.
    return { code: failure.code === 'invalid' ? 'failed' : failure.code };
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
      return reply.code(201).send({ url: `${publicUrl.replace(/\/$/, '')}${startPathOf(provider)}?${query}` });
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
