/** `/v1/auth/providers` and `/v1/auth/oauth`: the browser's way through a provider and back with a one-time code. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure, toFailure } from '../../errors.ts';
import { answers, exactly, listOf, redirectAnswers } from '../../http/input/schemas.ts';
import { failureOf } from '../../http/server/problem.ts';
import { LoginHeaders, LoginShape } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import { textOf } from './identity-claims.ts';
import type { IdentityLinking } from './identity-linking.ts';
import type { LoginFlows } from './login-flows.ts';
import { type OAuthProvider, startPathOf } from './oauth-provider.ts';
import type { OAuthService } from './oauth-service.ts';
import type { ReturnAddresses } from './return-addresses.ts';

export type LoginProviders = ReadonlyMap<string, { readonly settings: ProviderSettings; readonly flow: OAuthProvider }>;

export interface ProviderRouteOptions {
  readonly oauth: OAuthService;
  readonly linking: Pick<IdentityLinking, 'codeFor'>;
  readonly flows: LoginFlows;
  readonly cookies: SessionCookies;
  readonly providers: LoginProviders;
  readonly returnAddresses: ReturnAddresses;
  readonly rateLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];
export const ProviderName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' });
const ProviderParams = exactly({ provider: ProviderName });

/** @throws Failure `not_found` */
export function requireProvider(providers: LoginProviders, name: string): OAuthProvider {
  const provider = providers.get(name);
  if (!provider) throw new Failure('not_found', 'no such login provider');
  return provider.flow;
}

export const providerRoutes: FastifyPluginAsyncTypebox<ProviderRouteOptions> = async (app, options) => {
  await app.register(startRoutes, options);
  await app.register(callbackRoutes, options);
  await app.register(formCallbackRoutes, options);
  await app.register(exchangeRoutes, options);
};

const startRoutes: FastifyPluginAsyncTypebox<ProviderRouteOptions> = async (
  app,
  { flows, providers, returnAddresses, rateLimit },
) => {
  const config = { rateLimit };

  app.get(
    '/auth/providers',
    {
      config,
      schema: {
        tags,
        operationId: 'listLoginProviders',
        summary: 'List the login providers',
        description: 'The providers that the operator has configured, for the buttons of a login page.',
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
        url: startPathOf(name),
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
        operationId: 'startProviderLogin',
        summary: 'Redirect the browser to a provider to log in there',
        description: 'Open it in the browser, not with fetch. `returnTo` must be on the list that the operator allows.',
        security: [],
        params: ProviderParams,
        querystring: exactly({
          returnTo: Type.Optional(Type.String({ maxLength: 2048 })),
          link: Type.Optional(Type.String({ maxLength: 200, description: 'From POST /v1/users/me/identities' })),
          binding: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z0-9_-]{43}$',
              description: 'SHA-256, base64url, of a secret that the page keeps. Exchanging the code needs the secret',
            }),
          ),
        }),
        response: redirectAnswers,
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const { link, binding } = request.query;
      const { start } = requireProvider(providers, provider);
      const returnTo = returnAddresses.require(request.query.returnTo);
      try {
        const url = await flows.begin({ request, reply, provider }, { returnTo, link, binding }, start);
        return reply.redirect(url, 302);
      } catch (error) {
        if (!isPageVisit(request)) throw error;
        return returnAddresses.redirect(reply, returnTo, { error: logFailure(error, request) });
      }
    },
  );
};

const callbackRoutes: FastifyPluginAsyncTypebox<ProviderRouteOptions> = async (app, options) => {
  const { providers, returnAddresses, rateLimit } = options;
  app.get(
    '/auth/oauth/:provider/callback',
    {
      config: { rateLimit },
      // A person sees the answer, so every failure redirects: also one of the rate limit.
      errorHandler: (error, request, reply) => {
        if (!providers.has(request.params.provider)) throw error;
        return returnAddresses.redirect(reply, undefined, { error: logFailure(error, request) });
      },
      schema: {
        tags,
        operationId: 'returnFromProvider',
        summary: 'Return from the provider: redirects to returnTo with #code=…, or with #link=… to link an account',
        description:
          'A failure redirects with #error=…: the error of the provider (`access_denied`), `expired` for a login that was not begun in this browser, is too old or was finished, or the code of a failure.',
        security: [],
        params: ProviderParams,
        // Not checked by the schema: its JSON error would be shown to a person.
        querystring: Type.Object({
          code: Type.Optional(Type.Unknown({ description: 'From the provider' })),
          state: Type.Optional(Type.Unknown({ description: 'From the start of the login' })),
          error: Type.Optional(Type.Unknown({ description: 'Why the provider refused the login' })),
          iss: Type.Optional(Type.Unknown({ description: 'The issuer of the provider (RFC 9207)' })),
        }),
        response: redirectAnswers,
      },
    },
    async (request, reply) => {
      const { provider } = request.params;
      const { returnTo, answer } = await finishFlow(request, reply, provider, options);
      return returnAddresses.redirect(reply, returnTo, answer);
    },
  );
};

/** @returns where the browser goes, with a code, a link code or an error */
async function finishFlow(
  request: FastifyRequest,
  reply: FastifyReply,
  provider: string,
  { oauth, linking, flows, providers }: ProviderRouteOptions,
): Promise<{ returnTo: string | undefined; answer: Record<string, string> }> {
  const { finish } = requireProvider(providers, provider);
  const query = request.query as Record<string, unknown>;
  const [state, code, error] = [query.state, query.code, query.error].map((value) => textOf(value, 4096));
  const { returnTo, flow } =
    state === undefined ? { returnTo: undefined } : await flows.end({ request, reply, provider }, state);
  if (query.error !== undefined)
    return { returnTo, answer: { error: /^[a-z_]{1,64}$/.test(error ?? '') ? error! : 'failed' } };
  if (!flow || state === undefined || code === undefined) return { returnTo, answer: { error: 'expired' } };
  try {
    const begunAt = Date.now();
    const iss = query.iss === undefined ? undefined : String(query.iss);
    const { link, binding, verifier } = flow;
    const person = await finish({ state, code, iss, verifier, user: textOf(query.user) });
    const answer: Record<string, string> =
      link === undefined
        ? { code: await oauth.codeFor(person, { provider, begunAt, binding }) }
        : { link: await linking.codeFor(link, person, provider) };
    return { returnTo, answer };
  } catch (failure) {
    return { returnTo, answer: { error: logFailure(failure, request) } };
  }
}

/** Besides code and state, a form may contain an id token, which is not used. */
const formBytesMax = 64 * 1024;

/** Apple posts a form if more than the user's id is requested; other providers do with `response_mode=form_post`. */
const formCallbackRoutes: FastifyPluginAsyncTypebox<ProviderRouteOptions> = async (
  app,
  { providers, returnAddresses, rateLimit },
) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  app.post(
    '/auth/oauth/:provider/callback',
    {
      config: { rateLimit },
      errorHandler: (error, request, reply) => {
        if (!providers.has(request.params.provider)) throw error;
        return returnAddresses.redirect(reply, undefined, { error: logFailure(error, request) });
      },
      schema: {
        tags,
        operationId: 'returnFromProviderForm',
        summary: 'Return from a provider that posts a form (`response_mode=form_post`)',
        description: 'The same for providers that post their answer.',
        security: [],
        params: ProviderParams,
        response: { 303: redirectAnswers[302], '4xx': redirectAnswers['4xx'], '5xx': redirectAnswers['5xx'] },
      },
    },
    async (request, reply) => {
      requireProvider(providers, request.params.provider);
      const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
      const query = new URLSearchParams();
      for (const name of ['code', 'state', 'error', 'iss', 'user']) {
        const value = form.get(name);
        if (value !== null) query.set(name, value);
      }
      // A form from another site comes without cookies (`SameSite=Lax`). The browser follows this redirect with them.
      return reply.redirect(`?${query}`, 303);
    },
  );
};

const exchangeRoutes: FastifyPluginAsyncTypebox<ProviderRouteOptions> = async (app, { oauth, cookies, rateLimit }) => {
  app.post(
    '/auth/oauth/token',
    {
      config: { rateLimit },
      schema: {
        tags,
        operationId: 'exchangeProviderCode',
        summary: 'Exchange the code for a session',
        description: 'The code of the address bar after a login through a provider. It is good once.',
        security: [],
        headers: LoginHeaders,
        body: exactly({
          code: Type.String({ minLength: 1, maxLength: 200 }),
          verifier: Type.Optional(
            Type.String({
              minLength: 43,
              maxLength: 128,
              description: 'The secret of `binding`. Required if the login began with one, refused if not',
            }),
          ),
        }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) =>
      cookies.answer(request, reply, await oauth.exchange(request.body, cookies.deviceOf(request, reply))),
  );
};

/** Whether a person's browser follows a link, as opposed to a program. */
function isPageVisit({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') ?? false;
}

/** @returns the code to show. A person can only try again, so what did not verify is for the log. */
function logFailure(error: unknown, { log }: Pick<FastifyRequest, 'log'>): string {
  const failure = error instanceof Error ? failureOf(error, true) : toFailure(error);
  log.warn({ code: failure.code, reason: failure.message }, 'a login through a provider failed');
  return failure.code === 'invalid' ? 'failed' : failure.code;
}
