/** The parts that chat instances of one deployment share: revocations, the epoch of the log, and hints over Redis. */
import { type Revocations, startRevocations } from '../../auth/sessions/revocations.ts';
import { createFreshnessBatch, type FreshnessBatch } from '../../database/freshness-batch.ts';
import { createLocalHints, type Hints } from '../../realtime/cluster/hints.ts';
import { type LogEpoch, startLogEpoch } from '../../realtime/cluster/log-epoch.ts';
import { createLogMemories } from '../../realtime/cluster/log-memories.ts';
import { findRedis } from '../../realtime/cluster/redis-cluster.ts';
import { createRedisHints } from '../../realtime/cluster/redis-hints.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { ChatMetrics } from './chat-metrics.ts';

export interface Cluster {
  readonly freshness: FreshnessBatch;
  readonly revocations: Revocations;
  readonly epoch: LogEpoch;
  readonly hints: Hints;
  /** Settings of the Redis server; undefined if none is configured. */
  readonly redis: Awaited<ReturnType<typeof findRedis<RoleContext['config']['redis']>>>;
}

const minuteMs = 60_000;
/** After a restart of Postgres the instances wait for each other. Each of them notices the restart within this time. */
const epochCheckMaxMs = 1000;

export async function startCluster({
  config,
  logger,
  outages,
  reserved,
  metrics,
}: Pick<RoleContext, 'config' | 'logger' | 'outages'> &
  Pick<ChatConnections, 'reserved'> & { metrics: ChatMetrics }): Promise<Cluster> {
  const { auth, database, realtime } = config;
  const freshness = createFreshnessBatch(reserved);
  const revocations = await startRevocations({
    sql: reserved,
    look: freshness,
    logger,
    settings: {
      memoryMs: auth.accessTokenLifetime + auth.clockLeeway + minuteMs,
      pollMs: realtime.membershipCheck,
    },
  });
  const redis = await findRedis(config.redis, logger);
  const memories = createLogMemories({
    logger,
    outages,
    settings: { folder: database.memoryDir, redis, maxAgeMs: database.memoryAge },
  });
  const epoch = await startLogEpoch({
    ...{ sql: reserved, look: freshness, memories, logger },
    settings: {
      checkMs: Math.min(realtime.headCheck, epochCheckMaxMs),
      restartWaitMs: database.restartWait,
    },
  });
  const hints = redis
    ? createRedisHints({ settings: redis, logger, outages, metrics: metrics.hints, logId: epoch.knownLogId })
    : createLocalHints();
  return { freshness, revocations, epoch, hints, redis };
}
