/**
 * Proves the caller of every request: the token says who it is, the revocations say whether it is still valid. Accepts
 * Parley's own tokens, tokens of host applications and, on routes with a scope, API keys.
 */
import type { FastifyRequest } from 'fastify';
import { Failure } from '../errors.ts';
import type { Authenticator, Caller } from '../http/caller/caller.ts';
import type { AccessTokens } from './credentials/access-tokens.ts';
import type { ApiKeys } from './host-app/api-keys.ts';
import type { HostUsers } from './host-app/host-users.ts';
import type { RevocationTarget } from './sessions/revocation-list.ts';
import type { Revocations } from './sessions/revocations.ts';
import type { SessionCookies } from './sessions/session-cookies.ts';

export interface LoginCheck {
  /** Checks that a caller who was proved earlier is still valid now. @throws Failure `unauthenticated`, `banned` */
  readonly confirm: (caller: RevocationTarget) => Promise<void>;
}

export function createAuthenticator({
  accessTokens,
  cookies,
  hostUsers,
  apiKeys,
  revocations,
}: {
  accessTokens: AccessTokens;
  cookies: SessionCookies;
  hostUsers: HostUsers;
  apiKeys: ApiKeys;
  revocations: Revocations;
}): Authenticator & LoginCheck {
  /** Verifies the token only; the session may have ended. */
  async function prove(token: string): Promise<Caller> {
    const known = accessTokens.remembered(token);
    return known ?? (hostUsers.concerns(token) ? hostUsers.fromToken(token) : accessTokens.verify(token));
  }

  async function fromToken(token: string): Promise<Caller> {
    const caller = await prove(token);
    await confirm(caller);
    return caller;
  }

  /** An API key is accepted in the header only: browsers send cookies by themselves. */
  function shownBy(request: FastifyRequest): { readonly token: string; readonly isKey: boolean } {
    const shown = bearerOf(request);
    const kept = shown === undefined ? cookies.accessToken(request) : undefined;
    if (kept !== undefined) return { token: kept, isKey: false };
    const [scheme, token, ...rest] = (shown ?? '').split(' ');
    if (!token || rest.length > 0 || scheme!.toLowerCase() !== 'bearer')
      throw new Failure('unauthenticated', 'an access token is needed: Authorization: Bearer …');
    return { token, isKey: apiKeys.isKey(token) };
  }

  async function fromRequest(request: FastifyRequest): Promise<Caller> {
    const { token, isKey } = shownBy(request);
    return isKey ? apiKeys.verify(token, request.routeOptions.config.scope) : fromToken(token);
  }

  async function readAs<Found>(request: FastifyRequest, read: (caller: Caller) => Promise<Found>): Promise<Found> {
    const { token, isKey } = shownBy(request);
    if (isKey) return read(await apiKeys.verify(token, request.routeOptions.config.scope));
    const caller = await prove(token);
    const [login, found] = await Promise.allSettled([confirm(caller), read(caller)]);
    // An ended session gets its own error, whatever the read found.
    if (login.status === 'rejected') throw login.reason;
    if (found.status === 'rejected') throw found.reason;
    return found.value;
  }

  async function confirm(caller: RevocationTarget): Promise<void> {
    await revocations.sync();
    const until = revocations.bannedUntil(caller.userId);
    if (until !== undefined)
      throw new Failure(
        'banned',
        'you are banned',
        until === Number.POSITIVE_INFINITY ? {} : { details: { until: new Date(until).toISOString() } },
      );
    if (revocations.isRevoked(caller)) throw new Failure('unauthenticated', 'this session has ended');
  }

  return {
    fromToken,
    confirm,
    hasLogin: (request) => bearerOf(request) !== undefined || cookies.has(request),
    hasHeader: (request) => bearerOf(request) !== undefined,
    fromRequest,
    readAs,
  };
}

/**
 * The `Authorization` header, unless it is meant for a proxy. A browser that authenticates to a proxy (`Basic`, `Digest`,
 * `Negotiate`) repeats those credentials with every request to the site.
 */
function bearerOf({ headers: { authorization } }: FastifyRequest): string | undefined {
  return /^(basic|digest|negotiate|ntlm)\b/i.test(authorization ?? '') ? undefined : authorization;
}
