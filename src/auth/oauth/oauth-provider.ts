/**
 * One OAuth 2 or OIDC provider: the authorization code flow with PKCE and state by @fastify/oauth2, and beyond it what
 * that plugin leaves out: a nonce, and the check of the id token (OpenID Connect Core §3.1.3.7).
 *
 * A provider is looked up when somebody first logs in through it, so that one that is away stops no start.
 */
import { createHash } from 'node:crypto';
import fastifyOauth2, { type FastifyOAuth2Options, type OAuth2Namespace } from '@fastify/oauth2';
import Fastify, { type FastifyInstance } from 'fastify';
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure } from '../../errors.ts';
import { BadAnswer, fetchJson } from './fetch-json.ts';
import { postedName, proveByIdToken } from './id-token-proof.ts';
import { nameOf, textOf, type VerifiedIdentity } from './identity-claims.ts';
import type { IdentityServer } from './identity-server.ts';
import type { JwksCache } from './jwks-cache.ts';
import { discoverEndpoints, type Endpoints, githubEndpoints, isOwnAnswer } from './provider-endpoints.ts';

/** What comes back from a provider, and what was kept for it. */
export interface ProviderAnswer {
  readonly state: string;
  readonly code: string;
  /** The provider's name of itself (RFC 9207). */
  readonly iss: string | undefined;
  /** Of PKCE (RFC 7636). */
  readonly verifier: string;
  /** What Apple posts of a person beside the code. */
  readonly user?: string | undefined;
}

export interface OAuthProvider {
  /**
   * @param makeState asked once, when the provider is known to be there
   * @returns where the browser has to go, and what `finish` needs
   * @throws Failure `unavailable`
   */
  readonly start: (makeState: () => Promise<string>) => Promise<{ url: string; state: string; verifier: string }>;
  /** @throws Failure `invalid` for a code or id token that does not fit, `unavailable` */
  readonly finish: (answer: ProviderAnswer) => Promise<VerifiedIdentity>;
}

export interface OAuthProviderOptions {
  readonly name: string;
  readonly provider: ProviderSettings;
  readonly callbackUrl: string;
  readonly link: IdentityServer;
  /** The keys behind an address that discovery told. */
  readonly keysAt: (url: string) => JwksCache;
}

/** Where a login through the provider begins. */
export function startPathOf(name: string): string {
  return `/v1/auth/oauth/${name}`;
}

/** Names under which the plugin keeps a login's state and verifier, in what stands for its requests and replies here. */
const kept = { state: 'state', verifier: 'verifier' };

interface Ready {
  readonly flow: OAuth2Namespace;
  readonly endpoints: Endpoints;
  readonly keys: JwksCache | undefined;
}

export function createOAuthProvider({
  name,
  provider,
  callbackUrl,
  link,
  keysAt,
}: OAuthProviderOptions): OAuthProvider {
  const { timeoutMs } = link;
  const oidc = provider.kind !== 'github';
  let ready: Promise<Ready> | undefined;

  function prepare(): Promise<Ready> {
    ready ??= link.call(connect).catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  async function connect(): Promise<Ready> {
    const endpoints = oidc ? await discoverEndpoints(name, provider, timeoutMs) : githubEndpoints(provider);
    const authorize = new URL(endpoints.authorizeUrl);
    const token = new URL(endpoints.tokenUrl);
    // The plugin wants its endpoints when it is registered; an app of its own lets that happen late.
    const side = Fastify();
    await addPlugin(name, side, {
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
        // Some token endpoints answer JSON under another media type.
        http: { timeout: timeoutMs, maxBytes: 256 * 1024, json: 'force' },
        options: { authorizationMethod: endpoints.secretIn },
      },
      callbackUri: callbackUrl,
      pkce: 'S256',
      redirectStateCookieName: kept.state,
      verifierCookieName: kept.verifier,
      // What the plugin keeps in two cookies for all logins of a browser is kept for each by login-flows.ts.
      generateStateFunction: async (request: unknown) => (request as { state: string }).state,
      checkStateFunction: async () => true,
    });
    await side.ready();
    const { flow } = side as unknown as { flow: OAuth2Namespace };
    return {
      flow,
      endpoints,
      keys: endpoints.jwksUrl === undefined ? undefined : keysAt(endpoints.jwksUrl),
    };
  }

  async function start(makeState: () => Promise<string>) {
    link.requireAnswering();
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
    return link.call(async () => {
      // RFC 9207 §2.4: an answer in another provider's name is not the one that was asked for.
      if (oidc && !isOwnAnswer(endpoints, iss)) throw new Failure('invalid', 'this answer is of another provider');
      const token = await exchange(flow, code, verifier);
      if (!keys) return proveByGithub(String(token.access_token), endpoints);
      const person = await proveByIdToken(token, nonceOf(state), { provider, endpoints, keys, timeoutMs });
      return { ...person, name: person.name ?? postedName(user) };
    });
  }

  async function exchange(flow: OAuth2Namespace, code: string, verifier: string): Promise<Record<string, unknown>> {
    try {
      const request = { query: { code }, cookies: { [kept.verifier]: verifier } };
      const { token } = await flow.getAccessTokenFromAuthorizationCodeFlow(request as never);
      // GitHub tells an error with 200.
      if (typeof token.access_token !== 'string') throw new Failure('invalid', 'the provider gave no token');
      return token as unknown as Record<string, unknown>;
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      // A provider that is away has 5xx.
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

  async function proveByGithub(accessToken: string, { issuer, userUrl }: Endpoints): Promise<VerifiedIdentity> {
    const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.github+json' };
    const profile = await fetchJson(userUrl!, { timeoutMs, headers });
    const subject = Number.isSafeInteger(profile.id) ? String(profile.id) : textOf(profile.id, 255);
    if (subject === undefined) throw new Failure('invalid', 'the provider did not say who this is');
    const primary = (await githubAddresses(`${userUrl}/emails`, headers)).find(
      ({ primary, verified }) => primary === true && verified === true,
    );
    return {
      issuer,
      subject,
      name: nameOf(profile.name) ?? nameOf(profile.login),
      username: nameOf(profile.login),
      picture: textOf(profile.avatar_url),
      email: textOf(primary?.email),
      emailVerified: textOf(primary?.email) !== undefined,
    };
  }

  interface GithubAddress {
    readonly email?: unknown;
    readonly primary?: unknown;
    readonly verified?: unknown;
  }

  /** None where the scope was not granted: the login goes on without an address. */
  async function githubAddresses(url: string, headers: Record<string, string>): Promise<readonly GithubAddress[]> {
    try {
      const found: unknown = await fetchJson(url, { timeoutMs, headers });
      return Array.isArray(found)
        ? (found as GithubAddress[]).filter((each) => typeof each === 'object' && each !== null)
        : [];
    } catch (error) {
      if (error instanceof BadAnswer) return [];
      throw error;
    }
  }

  return { start, finish };
}

/**
 * Not by `register`: what the plugin throws about its options would be an uncaught exception.
 * @throws Failure `unavailable` that names no option, because the plugin's own message quotes the client's secret
 */
function addPlugin(name: string, side: FastifyInstance, options: FastifyOAuth2Options): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(new Failure('unavailable', `the settings of the login provider ${name} are not what OAuth allows`));
    try {
      fastifyOauth2(side, options, (error) => (error ? refuse() : resolve()));
    } catch {
      refuse();
    }
  });
}

/** The state is bound to the browser by its cookie; the nonce follows from it, so nothing more has to be kept. */
function nonceOf(state: string): string {
  return createHash('sha256').update(`nonce ${state}`).digest('base64url');
}
