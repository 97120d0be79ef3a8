/**
 * One OAuth 2 or OIDC provider: the authorization code flow with PKCE and state by @fastify/oauth2, and beyond it what
 * that plugin leaves out: a nonce, and the check of the id token (OpenID Connect Core §3.1.3.7).
 *
 * A provider is looked up when somebody first logs in through it, so that one that is away stops no start.
 */
import { createHash } from 'node:crypto';
import fastifyOauth2, { type OAuth2Namespace } from '@fastify/oauth2';
import Fastify from 'fastify';
import { jwtVerify } from 'jose';
import type { ProviderSettings } from '../config/identity-settings.ts';
import { Failure } from '../errors.ts';
import { BadAnswer, fetchJson } from './fetch-json.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { hasPlainTimes } from './numeric-date.ts';
import type { ProviderLink } from './provider-link.ts';
import { addressOf, nameOf, textOf, type VouchedAddress } from './vouched-claims.ts';

/** Who a provider says that somebody is. */
export interface ProvedIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly picture: string | undefined;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
}

/** What comes back from a provider, and what was kept for it. */
export interface ProviderAnswer {
  readonly state: string;
  readonly code: string;
  /** The provider's name of itself (RFC 9207). */
  readonly iss: string | undefined;
  /** Of PKCE (RFC 7636). */
  readonly verifier: string;
}

export interface OAuthProvider {
  /**
   * @param makeState asked once, when the provider is known to be there
   * @returns where the browser has to go, and what `finish` needs
   * @throws Failure `unavailable`
   */
  readonly start: (makeState: () => Promise<string>) => Promise<{ url: string; state: string; verifier: string }>;
  /** @throws Failure `invalid` for a code or id token that does not fit, `unavailable` */
  readonly finish: (answer: ProviderAnswer) => Promise<ProvedIdentity>;
}

export interface OAuthProviderOptions {
  readonly name: string;
  readonly provider: ProviderSettings;
  readonly callbackUrl: string;
  readonly link: ProviderLink;
  /** The keys behind an address that discovery told. */
  readonly keysAt: (url: string) => IssuerKeys;
}

/** Where a login through the provider begins. */
export function startPathOf(name: string): string {
  return `/v1/auth/oauth/${name}`;
}

/** Names under which the plugin keeps a login's state and verifier, in what stands for its requests and replies here. */
const kept = { state: 'state', verifier: 'verifier' };

/** What is asked first when a silent provider is tried again. */
export function probeUrlOf(provider: ProviderSettings): string {
  if (provider.kind === 'github') return provider.tokenUrl ?? githubDefaults.tokenUrl;
  return discoveryUrl(issuerOf(provider));
}

interface Endpoints {
  readonly issuer: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly userUrl: string | undefined;
  readonly jwksUrl: string | undefined;
}

interface Ready {
  readonly flow: OAuth2Namespace;
  readonly endpoints: Endpoints;
  readonly keys: IssuerKeys | undefined;
}

/** Signatures that an id token may have: never a shared secret, never none. */
const idTokenAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const githubDefaults = {
  authorizeUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  userUrl: 'https://api.github.com/user',
};

function issuerOf({ issuer = 'https://accounts.google.com' }: ProviderSettings): string {
  return issuer;
}

function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
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
    const endpoints = oidc ? await discover() : githubEndpoints();
    const authorize = new URL(endpoints.authorizeUrl);
    const token = new URL(endpoints.tokenUrl);
    // The plugin wants its endpoints when it is registered; an app of its own lets that happen late.
    const side = Fastify();
    await side.register(fastifyOauth2, {
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
        http: { timeout: timeoutMs, maxBytes: 256 * 1024 },
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

  function githubEndpoints(): Endpoints {
    const { authorizeUrl, tokenUrl, userUrl } = { ...githubDefaults, ...provider };
    return { issuer: new URL(authorizeUrl).origin, authorizeUrl, tokenUrl, userUrl, jwksUrl: undefined };
  }

  async function discover(): Promise<Endpoints> {
    const issuer = issuerOf(provider);
    const found = await fetchJson(discoveryUrl(issuer), { timeoutMs });
    // OpenID Connect Discovery §4.3: another issuer in the document means that somebody else answers.
    if (found.issuer !== issuer)
      throw new Failure('unavailable', `the login provider ${name} calls itself otherwise than configured`);
    for (const field of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'])
      if (!URL.canParse(String(found[field]))) throw new Error(`the login provider ${name} tells no ${field}`);
    return {
      issuer,
      authorizeUrl: provider.authorizeUrl ?? String(found.authorization_endpoint),
      tokenUrl: provider.tokenUrl ?? String(found.token_endpoint),
      userUrl: provider.userUrl ?? (typeof found.userinfo_endpoint === 'string' ? found.userinfo_endpoint : undefined),
      jwksUrl: String(found.jwks_uri),
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
    return { url: url.href, state, verifier: cookies.get(kept.verifier)! };
  }

  async function finish({ state, code, iss, verifier }: ProviderAnswer): Promise<ProvedIdentity> {
    const { flow, endpoints, keys } = await prepare();
    return link.call(async () => {
      // RFC 9207 §2.4: an answer in another provider's name is not the one that was asked for.
      if (iss !== undefined && oidc && iss !== endpoints.issuer)
        throw new Failure('invalid', 'this answer is of another provider');
      const token = await exchange(flow, code, verifier);
      if (keys) return proveByIdToken(token, endpoints, keys, nonceOf(state));
      return proveByGithub(String(token.access_token), endpoints);
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
      const { output } = cause as { output?: { statusCode?: number } };
      if ((output?.statusCode ?? 0) >= 500) throw cause;
      throw new Failure('invalid', 'the provider refused the code', { cause });
    }
  }

  async function proveByIdToken(
    token: Record<string, unknown>,
    { issuer, userUrl }: Endpoints,
    keys: IssuerKeys,
    nonce: string,
  ): Promise<ProvedIdentity> {
    if (typeof token.id_token !== 'string') throw new Failure('invalid', 'the provider sent no id token');
    const { payload } = await jwtVerify(token.id_token, keys, {
      issuer,
      audience: provider.clientId,
      algorithms: idTokenAlgorithms,
      clockTolerance: 30,
      requiredClaims: ['sub', 'exp', 'iat'],
    }).catch((cause: unknown) => {
      throw cause instanceof Failure ? cause : new Failure('invalid', 'the id token is not valid', { cause });
    });
    if (!hasPlainTimes(payload)) throw new Failure('invalid', 'the id token is not valid');
    // OpenID Connect Core §3.1.3.7, 4 and 5.
    const audiences = [payload.aud ?? []].flat();
    if ((audiences.length > 1 || payload.azp !== undefined) && payload.azp !== provider.clientId)
      throw new Failure('invalid', 'the id token was made for another client');
    if (payload.nonce !== nonce) throw new Failure('invalid', 'the id token belongs to another login');
    // Providers may keep the profile out of the id token; the same subject has to be in both (§5.3.2).
    const profile =
      userUrl === undefined
        ? {}
        : await fetchJson(userUrl, { timeoutMs, headers: { authorization: `Bearer ${String(token.access_token)}` } });
    const shown: Record<string, unknown> = profile.sub === payload.sub ? profile : {};
    const claims = { ...payload, ...shown };
    return {
      issuer,
      subject: payload.sub!,
      name: nameOf(claims.name),
      username: nameOf(claims.preferred_username),
      picture: textOf(claims.picture),
      ...mergedAddress(shown, payload),
    };
  }

  async function proveByGithub(accessToken: string, { issuer, userUrl }: Endpoints): Promise<ProvedIdentity> {
    const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.github+json' };
    const profile = await fetchJson(userUrl!, { timeoutMs, headers });
    if (typeof profile.id !== 'number' && typeof profile.id !== 'string')
      throw new Failure('invalid', 'the provider did not say who this is');
    const primary = (await githubAddresses(`${userUrl}/emails`, headers)).find(
      ({ primary, verified }) => primary === true && verified === true,
    );
    return {
      issuer,
      subject: String(profile.id),
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

/** One source's address and its word on it: a yes that the other one gives for another address does not count. */
function mergedAddress(profile: Record<string, unknown>, idToken: Record<string, unknown>): VouchedAddress {
  const [shown, signed] = [addressOf(profile), addressOf(idToken)];
  if (shown.email === undefined) return signed;
  const isSame = shown.email.toLowerCase() === signed.email?.toLowerCase();
  const isSilent = profile.email_verified === undefined && profile.xms_edov === undefined;
  return isSame && isSilent ? { ...shown, emailVerified: signed.emailVerified } : shown;
}

/** The state is bound to the browser by its cookie; the nonce follows from it, so nothing more has to be kept. */
function nonceOf(state: string): string {
  return createHash('sha256').update(`nonce ${state}`).digest('base64url');
}
