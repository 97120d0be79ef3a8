/** The endpoints of a login provider: from its discovery document (OpenID Connect Discovery 1.0), or fixed for GitHub. */
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure } from '../../errors.ts';
import { BadAnswer, fetchJson } from './fetch-json.ts';

export interface Endpoints {
  /** The provider's issuer name; `{tenantid}` in it stands for the `tid` of an id token. */
  readonly issuer: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly userUrl: string | undefined;
  readonly jwksUrl: string | undefined;
  /** Where the token endpoint expects the client secret (OpenID Connect Core §9: `client_secret_basic`, `_post`). */
  readonly secretIn: 'header' | 'body';
  /** The provider sends `iss` with every answer (RFC 9207 §3), so an answer without it comes from somewhere else. */
  readonly namesItself: boolean;
}

/** Microsoft's placeholder for the user's tenant, in applications for several tenants. */
const tenant = '{tenantid}';
const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const githubDefaults = {
  authorizeUrl: 'https://github.com/login/oauth/authorize',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  userUrl: 'https://api.github.com/user',
};

function configuredIssuer({ issuer = 'https://accounts.google.com' }: ProviderSettings): string {
  return issuer;
}

function discoveryUrlOf(provider: ProviderSettings): string {
  return provider.discoveryUrl ?? `${configuredIssuer(provider).replace(/\/$/, '')}/.well-known/openid-configuration`;
}

/** The address that is requested to find out whether the provider is back. */
export function probeUrlOf(provider: ProviderSettings): string {
  if (provider.kind === 'github') return provider.tokenUrl ?? githubDefaults.tokenUrl;
  return discoveryUrlOf(provider);
}

export function githubEndpoints(provider: ProviderSettings): Endpoints {
  const { authorizeUrl, tokenUrl, userUrl } = { ...githubDefaults, ...provider };
  return {
    issuer: new URL(authorizeUrl).origin,
    ...{ authorizeUrl, tokenUrl, userUrl, jwksUrl: undefined, namesItself: false },
    secretIn: provider.clientAuth === 'post' ? 'body' : 'header',
  };
}

/** @throws Failure `unavailable` for a missing or incomplete document, or one of another issuer */
export async function discoverEndpoints(
  name: string,
  provider: ProviderSettings,
  timeoutMs: number,
): Promise<Endpoints> {
  const url = discoveryUrlOf(provider);
  const found = await fetchJson(url, { timeoutMs, redirect: 'follow' }).catch((cause: unknown) => {
    if (!(cause instanceof BadAnswer)) throw cause;
    throw unfit(name, `there is no document at ${url}: ${cause.message}`);
  });
  const fields = {
    issuer: fittingIssuer(configuredIssuer(provider), found.issuer),
    authorizeUrl: provider.authorizeUrl ?? found.authorization_endpoint,
    tokenUrl: provider.tokenUrl ?? found.token_endpoint,
    jwksUrl: provider.jwksUrl ?? found.jwks_uri,
  };
  if (fields.issuer === undefined)
    throw unfit(
      name,
      `${url} calls its issuer "${String(found.issuer).slice(0, 200)}": set issuer to that, or correct it`,
    );
  for (const field of ['authorizeUrl', 'tokenUrl', 'jwksUrl'] as const)
    if (!/^https?:$/.test(URL.parse(String(fields[field]))?.protocol ?? ''))
      throw unfit(name, `${url} tells no ${field}`);
  const methods = [found.token_endpoint_auth_methods_supported ?? 'client_secret_basic'].flat();
  const wantsPost = !methods.includes('client_secret_basic') && methods.includes('client_secret_post');
  return {
    issuer: fields.issuer,
    authorizeUrl: String(fields.authorizeUrl),
    tokenUrl: String(fields.tokenUrl),
    jwksUrl: String(fields.jwksUrl),
    userUrl: provider.userUrl ?? (typeof found.userinfo_endpoint === 'string' ? found.userinfo_endpoint : undefined),
    secretIn: (provider.clientAuth ?? (wantsPost ? 'post' : 'basic')) === 'post' ? 'body' : 'header',
    namesItself: found.authorization_response_iss_parameter_supported === true,
  };
}

/** The reason goes to the log only: it can contain internal addresses. */
function unfit(name: string, reason: string): Failure {
  return new Failure('unavailable', `the login provider ${name} cannot be used`, { cause: new Error(reason) });
}

/**
 * The issuer that the document names, if it is the configured one (Discovery §4.3). A slash at the end is ignored: people
 * add or omit it, and both lead to the same document.
 */
function fittingIssuer(configured: string, named: unknown): string | undefined {
  if (typeof named !== 'string') return undefined;
  const plain = (url: string) => url.replace(/\/$/, '');
  if (plain(named) === plain(configured)) return named;
  const anyTenant = plain(configured).replace(/\/(?:common|organizations)(?=\/|$)/, `/${tenant}`);
  return plain(named).toLowerCase() === anyTenant.toLowerCase() && anyTenant !== plain(configured) ? named : undefined;
}

/** The issuer that an id token must name. With tenants, it is the issuer of the token's own tenant. */
export function issuerForToken({ issuer }: Endpoints, tid: unknown): string | undefined {
  if (!issuer.includes(tenant)) return issuer;
  return typeof tid === 'string' && guid.test(tid) ? issuer.replace(tenant, tid) : undefined;
}

/** Whether the `iss` of an answer (RFC 9207 §2.4), or its absence, is right for the provider. */
export function isOwnAnswer({ issuer, namesItself }: Endpoints, iss: string | undefined): boolean {
  if (iss === undefined) return !namesItself;
  if (!issuer.includes(tenant)) return iss === issuer;
  const [before = '', after = ''] = issuer.split(tenant);
  return (
    iss.startsWith(before) && iss.endsWith(after) && guid.test(iss.slice(before.length, iss.length - after.length))
  );
}
