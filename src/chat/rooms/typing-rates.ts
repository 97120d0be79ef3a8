/** How often a connection may send `typing` in each room. */
import { Failure } from '../../errors.ts';
import { TokenBucket } from '../../http/limits/token-bucket.ts';

export interface TypingRateSettings {
  readonly typingPerSecond: number;
  /** Rooms whose rates a connection remembers; beyond it they are forgotten together. */
  readonly roomsPerSocket: number;
}

/** @throws Failure `rate_limited` */
export type RequireTypingRate = (connection: object, roomId: string, nowMs?: number) => void;

export function createTypingRates({ typingPerSecond, roomsPerSocket }: TypingRateSettings): RequireTypingRate {
  const ratesOf = new WeakMap<object, Map<string, TokenBucket>>();

  return (connection, roomId, nowMs = performance.now()) => {
    const rates = ratesOf.get(connection) ?? new Map<string, TokenBucket>();
    ratesOf.set(connection, rates);
    // One more than the rate: starting and stopping at once counts as one act of typing.
    const rate = rates.get(roomId) ?? new TokenBucket(typingPerSecond, typingPerSecond + 1, nowMs);
    if (!rates.has(roomId) && rates.size >= roomsPerSocket) rates.clear();
    rates.set(roomId, rate);
    const waitMs = rate.take(nowMs);
    if (waitMs > 0) throw new Failure('rate_limited', 'typing frames come too fast', { retryAfterMs: waitMs });
  };
}
