/** Limits the requests per address. */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import { Failure } from '../../errors.ts';
import { type RateCounters, rateStore } from '../limits/rate-counters.ts';
import type { App } from './app-type.ts';

export interface AddressLimitSettings {
  /** Requests per minute and address without a valid login. Routes may have their own limit. */
  readonly requestsPerMinute: number;
  /** Requests per minute and address with a valid login, since many users may share an address. */
  readonly requestsPerAddress: number;
}

const windowMs = 60_000;

/** The key that attempts from an address are counted under. An IPv6 network of 64 bits counts as one address. */
export function addressKey(address: string): string {
  return normalizeIP(address, 64);
}

/** @param isCaller whether a request proves who makes it; checked only beyond the limit for requests without a login */
export async function limitAddresses(
  app: App,
  {
    counters,
    isCaller,
    settings,
  }: {
    counters: RateCounters;
    isCaller: (request: FastifyRequest) => Promise<boolean>;
    settings: AddressLimitSettings;
  },
): Promise<void> {
  app.addHook('onRequest', async (request) => {
    // Routes with a limit of their own, or without one, are counted there.
    if (request.routeOptions.config?.rateLimit !== undefined) return;
    const { count, resetMs } = await counters.hit(`address ${addressKey(request.ip)}`, windowMs);
    if (count <= settings.requestsPerMinute) return;
    // Anybody can send an invalid login, so only a valid one raises the limit.
    if (count <= settings.requestsPerAddress && (await isCaller(request))) return;
    throw tooMany(resetMs);
  });
  await app.register(rateLimit, {
    global: false,
    store: rateStore(counters) as never,
    // By address alone: a made-up header must not give a client another allowance.
    keyGenerator: ({ ip }) => addressKey(ip),
    errorResponseBuilder: (_request, { ttl }) => tooMany(ttl),
  });
}

function tooMany(retryAfterMs: number): Failure {
  return new Failure('rate_limited', 'too many requests', { retryAfterMs: Math.max(1000, Math.round(retryAfterMs)) });
}
