/** Finds out whether a Redis server is a node of a cluster. Then channels are sharded (`SPUBLISH`), and a message goes to one node instead of all. */
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { isRefusal } from '../../redis-link.ts';

/** @returns false if the server does not answer in time: plain Pub/Sub works on clusters too */
export async function isRedisCluster(url: string, timeoutMs: number, logger: Pick<Logger, 'warn'>): Promise<boolean> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableReadyCheck: false,
  });
  redis.on('error', () => {
    // `connect` rejects with the same error.
  });
  try {
    await redis.connect();
    return /^cluster_enabled:1/m.test(await redis.info('cluster'));
  } catch (error) {
    // A server that cannot be reached is reported by the links that need it.
    if (isRefusal(error)) {
      const reason = (error as Error).message;
      logger.warn({ reason }, 'Redis does not say whether it is a cluster; redis.cluster: on or off does');
    }
    return false;
  } finally {
    redis.disconnect();
  }
}

/** Where Redis is and whether it is a cluster; undefined without Redis. Redis is asked if the settings say `auto`. */
export async function findRedis<
  Settings extends {
    readonly url: string | undefined;
    readonly cluster: 'auto' | 'on' | 'off';
    readonly commandTimeout: number;
  },
>(
  settings: Settings,
  logger: Pick<Logger, 'warn'>,
): Promise<(Omit<Settings, 'url' | 'cluster'> & { url: string; cluster: boolean }) | undefined> {
  const { url, cluster, commandTimeout } = settings;
  if (url === undefined) return undefined;
  const sharded = cluster === 'on' || (cluster === 'auto' && (await isRedisCluster(url, commandTimeout * 2, logger)));
  return { ...settings, url, cluster: sharded };
}
