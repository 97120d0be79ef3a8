/**
 * The public keys of one issuer (RFC 7517), from its configured address alone. Kept for a while, renewed in the
 * background, and read again when a token names a key that is not among them: rotation needs no restart.
 *
 * Unknown key ids cost the issuer one request per `refetchMs`, whoever invents them: those who ask meanwhile wait for the
 * next one together.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { Failure } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';
import type { ProviderLink } from './provider-link.ts';

export interface IssuerKeySettings {
  /** Keys older than this are renewed; until that succeeds they go on to count. */
  readonly maxAgeMs: number;
  /** The address is asked no more often than this. */
  readonly refetchMs: number;
  /** Tokens with unknown keys that wait for an answer; more are refused. */
  readonly waitingMax: number;
}

/** For `jwtVerify` of jose. @throws Failure `unavailable` while the keys cannot be read */
export type IssuerKeys = JWTVerifyGetKey;

/** The fetch that was under way may have been answered before the key was published: one more finds it. */
const attemptsMax = 2;

export function createIssuerKeys({
  url,
  link,
  logger,
  settings,
}: {
  url: string;
  link: ProviderLink;
  logger: Logger;
  settings: IssuerKeySettings;
}): IssuerKeys {
  let keys: JWTVerifyGetKey | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  let waiting = 0;

  async function read(): Promise<void> {
    await pause(Math.max(0, askedAtMs + settings.refetchMs - performance.now()));
    askedAtMs = performance.now();
    const found = await link.call(() => fetchJson(url, { timeoutMs: link.timeoutMs }));
    keys = createLocalJWKSet(found as unknown as JSONWebKeySet);
    readAtMs = performance.now();
  }

  function renew(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function renewQuietly(): Promise<void> {
    try {
      await renew();
    } catch (error) {
      logger.debug({ error }, 'keys of an issuer could not be renewed; the known ones go on to count');
    }
  }

  async function waitForNewer(): Promise<void> {
    if (waiting >= settings.waitingMax)
      throw new Failure('unavailable', 'too many tokens with unknown keys', { retryAfterMs: settings.refetchMs });
    waiting += 1;
    try {
      await renew();
    } finally {
      waiting -= 1;
    }
  }

  return async (header, token) => {
    for (let attempt = 0; ; attempt++) {
      if (!keys) await waitForNewer();
      else if (performance.now() - readAtMs > settings.maxAgeMs) void renewQuietly();
      try {
        return await keys!(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || attempt === attemptsMax) throw error;
      }
      await waitForNewer();
    }
  };
}
