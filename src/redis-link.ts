/** Opens links to Redis and reports their failures. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Outage, Outages } from './logger/outages.ts';

export type RedisLink = Redis | Cluster;

export interface RedisLinkSettings {
  readonly url: string;
  /** Redis Cluster, with sharded Pub/Sub. */
  readonly cluster: boolean;
}

/**
 * Opens a link that connects at once and again after each loss. Every failure to connect or to log in is reported to `outage`. The
 * caller reports its end, because only it knows when the link works again.
 *
 * @param options options of each connection; `scripts` become methods of the link
 */
export function openRedisLink({ url, cluster }: RedisLinkSettings, options: RedisOptions, outage: Outage): RedisLink {
  const common: RedisOptions = {
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000) + Math.random() * 50,
    enableAutoPipelining: true,
    connectTimeout: 2000,
    // The library's own check waits silently while the server loads, and writes to the console if INFO is not allowed. Without it the
    // commands themselves fail with the reason.
    enableReadyCheck: false,
    ...options,
  };
  const link = cluster
    ? new Cluster([url], {
        shardedSubscribers: true,
        redisOptions: common,
        clusterRetryStrategy: common.retryStrategy,
        scripts: options.scripts,
      } as never)
    : new Redis(url, common);
  link.on('error', outage.failed);
  link.on('node error', outage.failed);
  return link;
}

/** The outage of one use of Redis, for example `hints`. Each use has its own, because rights may be missing for one of them alone. */
export function redisOutage(outages: Outages, use: string): Outage {
  return outages.of(`Redis (${use})`, { vagueForMs });
}

/** Whether Redis answered with a refusal. */
export function isRefusal(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'ReplyError';
}

/** A link without an error on which nothing comes back. */
export class SilentLink extends Error {}

/** A command without a connection fails before the reason is known. So its error is reported only if it lasts for this long. */
const noConnectionGraceMs = 1000;
const noConnection =
  /^(Stream isn't writeable|Connection is closed|Command aborted|Command timed out|Cluster isn't ready|None of startup nodes)/;

function vagueForMs(cause: unknown): number | undefined {
  if (!(cause instanceof Error)) return undefined;
  if (cause instanceof SilentLink) return 0;
  return cause.name === 'MaxRetriesPerRequestError' || noConnection.test(cause.message)
    ? noConnectionGraceMs
    : undefined;
}
