/**
 * The public keys of one issuer (RFC 7517), fetched only from its configured address. They are cached, renewed in the
 * background, and fetched again when a token names an unknown key, so a key rotation needs no restart.
 *
 * Anybody can invent key ids, so fetches have a budget: `refetchBurst` at once, then one per `refetchMs`. While the budget
 * is empty, a token with an unknown key is refused at once. Tokens that arrive during a fetch share it.
 */

import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { Logger } from 'pino';
import { createSingleFlight } from '../../concurrency/single-flight.ts';
import { Failure } from '../../errors.ts';
import { fetchJson } from './fetch-json.ts';
import type { IdentityServer } from './identity-server.ts';

export interface JwksCacheSettings {
  /** Older keys are renewed. Until that succeeds, the known ones stay valid. */
  readonly maxAgeMs: number;
  /** The budget grows by one fetch in this time. */
  readonly refetchMs: number;
  /** The largest budget: this many fetches may follow each other directly. */
  readonly refetchBurst: number;
  /** Tokens with unknown keys that wait for a fetch; more are refused. */
  readonly waitingMax: number;
}

/** For `jwtVerify` of jose. @throws Failure `unavailable` while the keys cannot be read */
export type JwksCache = JWTVerifyGetKey;

export function createJwksCache({
  url,
  server,
  logger,
  settings,
}: {
  url: string;
  server: IdentityServer;
  logger: Logger;
  settings: JwksCacheSettings;
}): JwksCache {
  const budget = createFetchBudget(settings);
  let keys: JWTVerifyGetKey | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let waiting = 0;
  let isFailing = false;

  async function read(): Promise<void> {
    isFailing = true;
    const found = await server.call(() => fetchJson(url, { timeoutMs: server.timeoutMs }));
    isFailing = false;
    keys = createLocalJWKSet(found as unknown as JSONWebKeySet);
    readAtMs = performance.now();
  }

  /** @returns whether a fetch is running or the budget allowed one, which it then paid */
  function mayRenew(): boolean {
    return reading.isRunning() || budget.take();
  }

  const reading = createSingleFlight(read);

  async function renewQuietly(): Promise<void> {
    try {
      if (mayRenew()) await reading.share();
    } catch (error) {
      logger.debug({ error }, 'keys of an issuer could not be renewed; the known ones stay valid');
    }
  }

  function unreadable(): Failure {
    return new Failure('unavailable', 'the keys of the issuer could not be read', { retryAfterMs: budget.dueInMs() });
  }

  /** @returns false if the budget is empty. @throws Failure `unavailable` if also the last fetch failed */
  async function waitForNewer(): Promise<boolean> {
    if (!mayRenew()) {
      // The key may have been published since then, so the token may be valid.
      if (isFailing) throw unreadable();
      return false;
    }
    if (waiting >= settings.waitingMax)
      throw new Failure('unavailable', 'too many tokens with unknown keys', { retryAfterMs: settings.refetchMs });
    waiting += 1;
    try {
      await reading.share();
    } finally {
      waiting -= 1;
    }
    return true;
  }

  async function requireKeys(): Promise<void> {
    if (keys) {
      if (performance.now() - readAtMs > settings.maxAgeMs) void renewQuietly();
    } else if (!(await waitForNewer())) throw unreadable();
  }

  return async (header, token) => {
    await requireKeys();
    // A fetch that was already running may have been answered before the key was published: one more fetch finds it.
    for (let isLast = false; ; ) {
      try {
        return await keys!(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || isLast) throw error;
        isLast = !reading.isRunning();
        if (!(await waitForNewer())) throw error;
      }
    }
  };
}

/** A token bucket of fetches, by the monotonic clock. */
function createFetchBudget({ refetchMs, refetchBurst }: Pick<JwksCacheSettings, 'refetchMs' | 'refetchBurst'>) {
  let left = refetchBurst;
  let filledAtMs = performance.now();

  function fill(): void {
    const nowMs = performance.now();
    left = Math.min(refetchBurst, left + (nowMs - filledAtMs) / refetchMs);
    filledAtMs = nowMs;
  }

  return {
    take: (): boolean => {
      fill();
      if (left < 1) return false;
      left -= 1;
      return true;
    },
    /** Milliseconds until the next fetch is allowed. */
    dueInMs: (): number => {
      fill();
      return Math.ceil(Math.max(0, 1 - left) * refetchMs);
    },
  };
}

/**
 * Verifies a token with the key that it names. A token without a key id is tried with each key of its algorithm, since
 * issuers with several keys may leave the id out.
 * @throws the errors of jose and of `JwksCache`
 */
export async function verifyByKeys(token: string, keys: JwksCache, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (other) {
        if (!(other instanceof errors.JWSSignatureVerificationFailed)) throw other;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}
