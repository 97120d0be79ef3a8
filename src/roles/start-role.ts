/** Starts the configured role, or both roles in one process; without a database URL with an embedded Postgres. */

import { connectionLimits, connectSql } from '../database/connect.ts';
import { parseDatabaseUrl } from '../database/connection/database-url.ts';
import { checkPooler } from '../database/connection/pooler-check.ts';
import { checkServer } from '../database/connection/server-check.ts';
import { linkLoss, rootError } from '../database/database-errors.ts';
import { databaseOutage } from '../database/database-probe.ts';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres.ts';
import { migrate } from '../database/migrate.ts';
import { startMetricsServer } from '../http/metrics.ts';
import { startTextEngine } from '../processing/engine/text-engine.ts';
import { type ChatRole, startChatRole } from './chat.ts';
import { explainListenError } from './lifecycle/listen-addresses.ts';
import { type RoleContext, type RunningRole, stopInOrder } from './lifecycle/role-lifecycle.ts';
import { startProcessingRole } from './processing.ts';

export interface Started extends RunningRole {
  /** The log line for the operator. */
  readonly announcement: string;
  /** A secret link for the operator, which creates the first admin. */
  readonly setupLink: string | undefined;
}

type Announced = Pick<Started, 'announcement' | 'setupLink'>;

/** Starts the parts of the configured role in order. If a part fails, the parts before it are stopped. */
export async function startRole(context: RoleContext): Promise<Started> {
  const { config, origins, logger, metrics } = context;
  const stops: (readonly [string, (deadlineMs: number) => unknown])[] = [];
  const stop = (deadlineMs: number) =>
    stopInOrder(
      logger,
      stops.toReversed().map(([name, step]) => [name, () => step(deadlineMs)] as const),
    );
  try {
    const databaseUrl = config.database.url ?? (await startDatabase());
    await migrateWhenUp(databaseUrl, context);
    if (config.metrics.port > 0) {
      const server = await startMetricsServer(metrics, config.metrics);
      stops.push(['metrics', server.stop]);
    }
    return { ...(await startParts(databaseUrl)), stop };
  } catch (error) {
    await stop(performance.now() + config.drain.timeout);
    throw explainListenError(error, config, origins);
  }

  async function startDatabase(): Promise<string> {
    const embedded = await startEmbeddedPostgres({ dir: config.database.embedded.dir, logger });
    stops.push(['embedded database', embedded.stop]);
    return embedded.url;
  }

  async function startParts(databaseUrl: string): Promise<Announced> {
    const parts = { ...context, databaseUrl };
    if (config.role === 'processing') {
      const role = await startProcessingRole(parts);
      stops.push(['processing', role.stop]);
      const announcement = `Parley's processing role is ready at ${config.processing.host}:${role.port}`;
      return { announcement, setupLink: undefined };
    }
    if (config.role === 'chat')
      return startChat({
        ...parts,
        embedded: false,
        memoryTransport: undefined,
        localEngine: await startLocalEngine(databaseUrl),
      });
    const processing = await startProcessingRole(parts);
    stops.push(['processing', processing.stop]);
    return startChat({
      ...parts,
      embedded: config.database.url === undefined,
      memoryTransport: processing.memoryTransport,
      localEngine: processing.engine,
    });
  }

  /** The engine of a chat instance gives verdicts when no processing instance answers. */
  async function startLocalEngine(databaseUrl: string) {
    if (config.moderation.fallback !== 'local') return undefined;
    const sql = connectSql({ ...connectionLimits(config), url: databaseUrl, poolSize: 1, name: 'engine' });
    const running = await startTextEngine({ sql, config, logger, registry: metrics.registry });
    stops.push([
      'local engine',
      () =>
        stopInOrder(logger, [
          ['engine', running.stop],
          ['its database', () => sql.end({ timeout: 2 })],
        ]),
    ]);
    return running.engine;
  }

  async function startChat(options: Parameters<typeof startChatRole>[0]): Promise<Announced> {
    const role: ChatRole = await startChatRole(options);
    stops.push(['chat', role.stop]);
    const without = role.hasPage ? '' : ' (no page was built; the API and /docs are served)';
    return { announcement: `Parley is ready at ${config.publicUrl ?? role.url}${without}`, setupLink: role.setupLink };
  }
}

/** Migrates the database, and waits for one that starts at the same time as Parley. */
async function migrateWhenUp(url: string, { config, logger, outages }: RoleContext): Promise<void> {
  for (const note of parseDatabaseUrl(url).notes) logger.warn(note);
  const untilMs = performance.now() + config.database.startupTimeout;
  const outage = databaseOutage(outages);
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2000)) {
    try {
      await checkServer(url, config.database.pooling);
      await checkPooler(url, config.database.pooling);
      await migrate(url, config.database.pooling);
      outage.ended();
      return;
    } catch (error) {
      if (!linkLoss(error) || performance.now() + pauseMs > untilMs) throw unusable(error);
      outage.failed(error);
      await new Promise((wake) => setTimeout(wake, pauseMs));
    }
  }
}

/** Advice for common errors, by SQLSTATE. */
const hints: Readonly<Record<string, string>> = {
  '42501':
    '; the database role must be able to create schemas and tables: GRANT CREATE ON DATABASE … TO …, and as of PostgreSQL 15 GRANT CREATE ON SCHEMA public TO …',
  '3F000': '; the search_path of the database role names no existing schema',
};

function unusable(error: unknown): Error {
  const cause = rootError(error);
  const { code = '', message } = cause as Error & { code?: string };
  return new Error(`the database cannot be used: ${message.split('\n')[0] || code}${hints[code] ?? ''}`, { cause });
}
