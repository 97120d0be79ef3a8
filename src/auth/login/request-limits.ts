/** Limits requests per account and per session, from any network address. */
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';

export interface RequestLimits {
  /** Per minute and account. */
  readonly requestsPerAccount: number;
  /** Per minute and session. */
  readonly requestsPerDevice: number;
}

const windowMs = 60_000;
const message = 'too many requests';

/** Wraps an authenticator so that it refuses callers over the limit with `rate_limited`. */
export function limitRequests<Kind extends Authenticator>(
  authenticator: Kind,
  counters: RateCounters,
  limits: RequestLimits,
): Kind {
  async function count({ userId, sessionId }: Caller): Promise<void> {
    await Promise.all([
      requireRate(counters, `account ${userId}`, { max: limits.requestsPerAccount, windowMs }, message),
      sessionId !== undefined &&
        requireRate(counters, `device ${sessionId}`, { max: limits.requestsPerDevice, windowMs }, message),
    ]);
  }

  return {
    ...authenticator,
    fromRequest: async (request) => {
      const caller = await authenticator.fromRequest(request);
      await count(caller);
      return caller;
    },
    readAs: (request, read) =>
      authenticator.readAs(request, async (caller) => {
        await count(caller);
        return read(caller);
      }),
  };
}
