/**
 * One OAuth 2 or OIDC provider: the authorization code flow with PKCE and state by @fastify/oauth2, and beyond it what
 * that plugin leaves out: a nonce, and the check of the id token (OpenID Connect Core §3.1.3.7).
 *
 * A provider is looked up when somebody first logs in through it, so that one that is away stops no start.
 */
import { createHash } from 'node:crypto';
import fastifyOauth2, { type OAuth2Namespace } from '@fastify/oauth2';
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { ProviderSettings } from '../config/identity-settings.ts';
import { Failure } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';

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

export interface OAuthProvider {
  /** Sets the flow's cookies and returns where the browser has to go. */
  readonly start: (request: FastifyRequest, reply: FastifyReply) => Promise<string>;
  /** @throws Failure `invalid` for a state, code or id token that does not fit, `unavailable` */
  readonly finish: (request: FastifyRequest, reply: FastifyReply) => Promise<ProvedIdentity>;
}

export interface OAuthProviderOptions {
  readonly name: string;
  readonly provider: ProviderSettings;
  readonly callbackUrl: string;
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
  readonly jwks: ReturnType<typeof createRemoteJWKSet> | undefined;
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
const cookiePath = '/v1/auth/oauth';
const githubDefaults = {
  authorizeUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  userUrl: 'https://api.github.com/user',
};

export function createOAuthProvider({ name, provider, callbackUrl }: OAuthProviderOptions): OAuthProvider {
  const oidc = provider.kind !== 'github';
  let ready: Promise<Ready> | undefined;

  function prepare(): Promise<Ready> {
    ready ??= connect().catch((cause: unknown) => {
      ready = undefined;
      throw cause instanceof Failure
        ? cause
        : new Failure('unavailable', `the login provider ${name} does not answer`, { cause, retryAfterMs: 5000 });
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
        http: { timeout: 10_000, maxBytes: 256 * 1024 },
      },
      callbackUri: callbackUrl,
      pkce: 'S256',
      cookie: {
        path: cookiePath,
        httpOnly: true,
        sameSite: 'lax',
        secure: callbackUrl.startsWith('https:'),
        maxAge: 600,
      },
    });
    await side.ready();
    const { flow } = side as unknown as { flow: OAuth2Namespace };
    return {
      flow,
      endpoints,
      jwks:
        endpoints.jwksUrl === undefined
          ? undefined
          : createRemoteJWKSet(new URL(endpoints.jwksUrl), { timeoutDuration: 5000 }),
    };
  }

  function githubEndpoints(): Endpoints {
    const { authorizeUrl, tokenUrl, userUrl } = { ...githubDefaults, ...provider };
    return { issuer: new URL(authorizeUrl).origin, authorizeUrl, tokenUrl, userUrl, jwksUrl: undefined };
  }

  async function discover(): Promise<Endpoints> {
    const issuer = provider.issuer ?? 'https://accounts.google.com';
    const found = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    // OpenID Connect Discovery §4.3: another issuer in the document means that somebody else answers.
    if (found.issuer !== issuer)
      throw new Failure('unavailable', `the login provider ${name} calls itself otherwise than configured`);
    return {
      issuer,
      authorizeUrl: provider.authorizeUrl ?? String(found.authorization_endpoint),
      tokenUrl: provider.tokenUrl ?? String(found.token_endpoint),
      userUrl: provider.userUrl ?? (typeof found.userinfo_endpoint === 'string' ? found.userinfo_endpoint : undefined),
      jwksUrl: String(found.jwks_uri),
    };
  }

  async function start(request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const { flow } = await prepare();
    const url = new URL(await flow.generateAuthorizationUri(request, reply));
    if (oidc) url.searchParams.set('nonce', nonceOf(url.searchParams.get('state')!));
    return url.href;
  }

  async function finish(request: FastifyRequest, reply: FastifyReply): Promise<ProvedIdentity> {
    const { state, code } = request.query as { state?: string; code?: string };
    if (!state || !code) throw new Failure('invalid', 'state and code are needed');
    const { flow, endpoints, jwks } = await prepare();
    let token: Record<string, unknown>;
    try {
      ({ token } = (await flow.getAccessTokenFromAuthorizationCodeFlow(request, reply)) as unknown as {
        token: Record<string, unknown>;
      });
    } catch (cause) {
      const status = (cause as { output?: { statusCode?: number } }).output?.statusCode ?? 0;
      if (status >= 500)
        throw new Failure('unavailable', `the login provider ${name} does not answer`, { cause, retryAfterMs: 5000 });
      throw new Failure('invalid', 'this login was not started here, or has ended', { cause });
    }
    if (jwks) return proveByIdToken(token, endpoints, jwks, nonceOf(state));
    return proveByGithub(String(token.access_token), endpoints);
  }

  async function proveByIdToken(
    token: Record<string, unknown>,
    { issuer, userUrl }: Endpoints,
    jwks: NonNullable<Ready['jwks']>,
    nonce: string,
  ): Promise<ProvedIdentity> {
    if (typeof token.id_token !== 'string') throw new Failure('invalid', 'the provider sent no id token');
    const { payload } = await jwtVerify(token.id_token, jwks, {
      issuer,
      audience: provider.clientId,
      algorithms: idTokenAlgorithms,
      clockTolerance: 30,
      requiredClaims: ['sub', 'exp', 'iat'],
    }).catch((cause: unknown) => {
      throw new Failure('invalid', 'the id token is not valid', { cause });
    });
    if (payload.nonce !== nonce) throw new Failure('invalid', 'the id token belongs to another login');
    // Providers may keep the profile out of the id token; the same subject has to be in both (§5.3.2).
    const profile =
      userUrl === undefined ? {} : await fetchJson(userUrl, { authorization: `Bearer ${String(token.access_token)}` });
    const claims: Record<string, unknown> = profile.sub === payload.sub ? { ...payload, ...profile } : payload;
    return {
      issuer,
      subject: payload.sub!,
      name: textOf(claims.name),
      username: textOf(claims.preferred_username),
      picture: textOf(claims.picture),
      email: textOf(claims.email),
      emailVerified: claims.email_verified === true,
    };
  }

  async function proveByGithub(accessToken: string, { issuer, userUrl }: Endpoints): Promise<ProvedIdentity> {
    const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.github+json' };
    const profile = await fetchJson(userUrl!, headers);
    if (typeof profile.id !== 'number' && typeof profile.id !== 'string')
      throw new Failure('invalid', 'the provider did not say who this is');
    const addresses = (await fetchJson(`${userUrl}/emails`, headers).catch(() => [])) as unknown as readonly {
      email?: unknown;
      primary?: boolean;
      verified?: boolean;
    }[];
    const primary = Array.isArray(addresses) ? addresses.find((each) => each.primary && each.verified) : undefined;
    return {
      issuer,
      subject: String(profile.id),
      name: textOf(profile.name) ?? textOf(profile.login),
      username: textOf(profile.login),
      picture: textOf(profile.avatar_url),
      email: textOf(primary?.email),
      emailVerified: primary !== undefined,
    };
  }

  return { start, finish };
}

/** The state is bound to the browser by its cookie; the nonce follows from it, so nothing more has to be kept. */
function nonceOf(state: string): string {
  return createHash('sha256').update(`nonce ${state}`).digest('base64url');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 2048 && value.isWellFormed() ? value : undefined;
}
