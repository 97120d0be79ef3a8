/**
 * One OAuth 2 or OpenID Connect provider. @fastify/oauth2 runs the authorization code flow with PKCE and state; this file
 * adds what the plugin leaves out: a nonce and the check of the id token (OpenID Connect Core §3.1.3.7).
 *
 * The provider is contacted at the first login through it, so an unreachable provider does not stop the start.
 */
import { createHash } from 'node:crypto';
import type { FastifyOAuth2Options, OAuth2Namespace } from '@fastify/oauth2';
import Fastify, { type FastifyInstance } from 'fastify';
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure } from '../../errors.ts';
import { proveByGithub } from './github-identity.ts';
import { postedName, proveByIdToken } from './id-token-proof.ts';
import type { VerifiedIdentity } from './identity-claims.ts';
import type { IdentityServer } from './identity-server.ts';
import type { JwksCache } from './jwks-cache.ts';
import { discoverEndpoints, type Endpoints, githubEndpoints, isOwnAnswer } from './provider-endpoints.ts';

/** The provider's redirect back to Parley, and what was stored for it at the start. */
export interface ProviderAnswer {
  readonly state: string;
  readonly code: string;
  /** The provider's own issuer name (RFC 9207). */
  readonly iss: string | undefined;
  /** PKCE verifier (RFC 7636). */
  readonly verifier: string;
  /** The JSON that Apple posts beside the code at a user's first login. */
  readonly user?: string | undefined;
}

export interface OAuthProvider {
  /**
   * @param makeState called once, after the provider has answered
   * @returns the address that the browser must open, and what `finish` needs
   * @throws Failure `unavailable`
   */
  readonly start: (makeState: () => Promise<string>) => Promise<{ url: string; state: string; verifier: string }>;
  /** @throws Failure `invalid` for a code or id token that does not verify, `unavailable` */
  readonly finish: (answer: ProviderAnswer) => Promise<VerifiedIdentity>;
}

export interface OAuthProviderOptions {
  readonly name: string;
  readonly provider: ProviderSettings;
  readonly callbackUrl: string;
  readonly server: IdentityServer;
  /** The key set at the address that the discovery document names. */
  readonly keysAt: (url: string) => JwksCache;
}

/** The route where a login through the provider begins. */
export function startPathOf(name: string): string {
  return `/v1/auth/oauth/${name}`;
}

/** Cookie names under which the plugin stores state and verifier. Parley gives it stand-ins for requests and replies. */
const kept = { state: 'state', verifier: 'verifier' };

interface ReadyProvider {
  readonly flow: OAuth2Namespace;
  readonly endpoints: Endpoints;
  /** Undefined for GitHub, which issues no id tokens. */
  readonly keys: JwksCache | undefined;
}

export function createOAuthProvider(options: OAuthProviderOptions): OAuthProvider {
  const { provider, server } = options;
  const oidc = provider.kind !== 'github';
  let ready: Promise<ReadyProvider> | undefined;

  /** Connects once; a failed attempt is forgotten, so the next login tries again. */
  function prepare(): Promise<ReadyProvider> {
    ready ??= server
      .call(() => connect(options))
      .catch((error: unknown) => {
        ready = undefined;
        throw error;
      });
    return ready;
  }

  async function start(makeState: () => Promise<string>) {
    server.requireAnswering();
    const { flow } = await prepare();
    const state = await makeState();
    const cookies = new Map<string, string>();
    const reply = { setCookie: (cookie: string, value: string) => cookies.set(cookie, value) };
    const url = new URL(await flow.generateAuthorizationUri({ state } as never, reply as never));
    if (oidc) url.searchParams.set('nonce', nonceOf(state));
    for (const [parameter, value] of Object.entries(provider.params ?? {})) url.searchParams.set(parameter, value);
    return { url: url.href, state, verifier: cookies.get(kept.verifier)! };
  }

  async function finish({ state, code, iss, verifier, user }: ProviderAnswer): Promise<VerifiedIdentity> {
    const { flow, endpoints, keys } = await prepare();
    const { timeoutMs } = server;
    return server.call(async () => {
      // RFC 9207 §2.4: an answer with another provider's issuer is a mix-up attack.
      if (oidc && !isOwnAnswer(endpoints, iss)) throw new Failure('invalid', 'this answer comes from another provider');
      const token = await exchangeCode(flow, code, verifier);
      if (!keys) return proveByGithub(String(token.access_token), endpoints, timeoutMs);
      const identity = await proveByIdToken(token, nonceOf(state), { provider, endpoints, keys, timeoutMs });
      return { ...identity, name: identity.name ?? postedName(user) };
    });
  }

  return { start, finish };
}

/** Reads the provider's endpoints and sets up the plugin for them. */
async function connect({ name, provider, callbackUrl, server, keysAt }: OAuthProviderOptions): Promise<ReadyProvider> {
  const { timeoutMs } = server;
  const oidc = provider.kind !== 'github';
  const endpoints = oidc ? await discoverEndpoints(name, provider, timeoutMs) : githubEndpoints(provider);
  const authorize = new URL(endpoints.authorizeUrl);
  const token = new URL(endpoints.tokenUrl);
  // The plugin needs the endpoints when it is registered, which a running app no longer allows: it gets an app of its own.
  const app = Fastify();
  await addPlugin(name, app, {
    name: 'flow',
    scope: [...(provider.scopes ?? (oidc ? ['openid', 'profile', 'email'] : ['read:user', 'user:email']))],
    credentials: {
      client: { id: provider.clientId, secret: provider.clientSecret },
      auth: {
        authorizeHost: authorize.origin,
        authorizePath: authorize.pathname + authorize.search,
        tokenHost: token.origin,
        tokenPath: token.pathname + token.search,
      },
      // Some token endpoints send JSON with another media type.
      http: { timeout: timeoutMs, maxBytes: 256 * 1024, json: 'force' },
      options: { authorizationMethod: endpoints.secretIn },
    },
    callbackUri: callbackUrl,
    pkce: 'S256',
    redirectStateCookieName: kept.state,
    verifierCookieName: kept.verifier,
    // The plugin has two cookies for all logins of a browser. login-flows.ts has one for each login and checks the state.
    generateStateFunction: async (request: unknown) => (request as { state: string }).state,
    checkStateFunction: async () => true,
  });
  await app.ready();
  const { flow } = app as unknown as { flow: OAuth2Namespace };
  return { flow, endpoints, keys: endpoints.jwksUrl === undefined ? undefined : keysAt(endpoints.jwksUrl) };
}

/**
 * Calls the plugin without `register`, which would turn an error about the options into an uncaught exception.
 * @throws Failure `unavailable` without a cause, because the plugin's own message quotes the client secret
 */
async function addPlugin(name: string, app: FastifyInstance, options: FastifyOAuth2Options): Promise<void> {
  // Imported at the first login through a provider: with its dependencies it is a tenth of all imports of a start.
  const { default: fastifyOauth2 } = await import('@fastify/oauth2');
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(new Failure('unavailable', `the settings of the login provider ${name} are not valid for OAuth`));
    try {
      fastifyOauth2(app, options, (error) => (error ? refuse() : resolve()));
    } catch {
      refuse();
    }
  });
}

/** @throws Failure `invalid` if the provider refuses the code; the plugin's error if it does not work (5xx) */
async function exchangeCode(flow: OAuth2Namespace, code: string, verifier: string): Promise<Record<string, unknown>> {
  try {
    const request = { query: { code }, cookies: { [kept.verifier]: verifier } };
    const { token } = await flow.getAccessTokenFromAuthorizationCodeFlow(request as never);
    // GitHub answers errors with status 200.
    if (typeof token.access_token !== 'string') throw new Failure('invalid', 'the provider sent no token');
    return token as unknown as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const { output, data } = cause as {
      output?: { statusCode?: number };
      data?: { payload?: { error?: unknown } };
    };
    if ((output?.statusCode ?? 0) >= 500) throw cause;
    const said = String(data?.payload?.error ?? '');
    const reason = /^[\w.-]{1,64}$/.test(said) ? `: ${said}` : '';
    throw new Failure('invalid', `the provider refused the code${reason}`, { cause });
  }
}

/** The state's cookie binds it to the browser. The nonce is derived from it, so nothing more needs to be stored. */
function nonceOf(state: string): string {
  return createHash('sha256').update(`nonce ${state}`).digest('base64url');
}
