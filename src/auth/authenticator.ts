/** Proves who calls: the token for what it says, the revocations for whether it still holds. */
import { Failure } from '../errors.ts';
import type { Authenticator, Caller } from '../http/caller.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { Revocations } from './revocations.ts';

export interface LoginCheck {
  /** Whether a login proved earlier still holds, as of now. @throws Failure `unauthenticated`, `banned` */
  readonly confirm: (caller: { userId: string; sessionId: string | undefined }) => Promise<void>;
}

export function createAuthenticator({
  accessTokens,
  revocations,
}: {
  accessTokens: AccessTokens;
  revocations: Revocations;
}): Authenticator & LoginCheck {
  async function fromToken(token: string): Promise<Caller> {
    const caller = await accessTokens.verify(token);
    await confirm(caller);
    return caller;
  }

  async function confirm(caller: { userId: string; sessionId: string | undefined }): Promise<void> {
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
    fromRequest: async (request) => {
      const [scheme, token, ...rest] = (request.headers.authorization ?? '').split(' ');
      if (!token || rest.length > 0 || scheme!.toLowerCase() !== 'bearer')
        throw new Failure('unauthenticated', 'an access token is needed: Authorization: Bearer …');
      return fromToken(token);
    },
  };
}
