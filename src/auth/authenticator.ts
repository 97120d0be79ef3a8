/**
 * Proves who calls: the token for what it says, the revocations for whether it still holds. Parley's own tokens, those of
 * host applications and, where a route lets them in, API keys come through here.
 */
import { Failure } from '../errors.ts';
import type { Authenticator, Caller } from '../http/caller.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { ApiKeys } from './api-keys.ts';
import type { HostUsers } from './host-users.ts';
import type { LoginCookies } from './login-cookies.ts';
import type { Revocations, RevocationTarget } from './revocations.ts';

export interface LoginCheck {
  /** Whether a login proved earlier still holds, as of now. @throws Failure `unauthenticated`, `banned` */
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
  cookies: LoginCookies;
  hostUsers: HostUsers;
  apiKeys: ApiKeys;
  revocations: Revocations;
}): Authenticator & LoginCheck {
  async function fromToken(token: string): Promise<Caller> {
    const caller = await (hostUsers.concerns(token) ? hostUsers.fromToken(token) : accessTokens.verify(token));
    await confirm(caller);
    return caller;
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
    if (revocations.isRevoked(caller)) throw new Failure('unauthenticated', 'this login has ended');
  }

  return {
    fromToken,
    confirm,
    hasLogin: (request) => request.headers.authorization !== undefined || cookies.has(request),
    fromRequest: async (request) => {
      const kept = request.headers.authorization === undefined ? cookies.accessToken(request) : undefined;
      if (kept !== undefined) return fromToken(kept);
      const [scheme, token, ...rest] = (request.headers.authorization ?? '').split(' ');
      if (!token || rest.length > 0 || scheme!.toLowerCase() !== 'bearer')
        throw new Failure('unauthenticated', 'an access token is needed: Authorization: Bearer …');
      if (apiKeys.isKey(token)) return apiKeys.verify(token, request.routeOptions.config.scope);
      return fromToken(token);
    },
  };
}
