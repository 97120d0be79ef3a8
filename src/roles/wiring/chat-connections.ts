/** The chat role's connections to Postgres. */
import type { Config } from '../../config/load.ts';
import { connectDatabase, connectionLimits, connectSql, type Sql } from '../../database/connect.ts';
import { parseDatabaseUrl } from '../../database/connection/database-url.ts';
import { poolingOf } from '../../database/connection/driver-options.ts';
import type { ChatMetrics } from './chat-metrics.ts';

export interface ChatConnections extends Pick<ReturnType<typeof connectDatabase>, 'db'> {
  /** Hot reads in hand-written SQL. */
  readonly sql: Sql;
  /** Two connections for checks that must never wait behind other work. */
  readonly reserved: Sql;
  /** Opens one connection for the batches of the event log. */
  readonly openCommitConnection: () => Sql;
  /** Whether each connection has a Postgres session of its own; false behind a transaction pooler. */
  readonly ownSessions: boolean;
  readonly close: () => Promise<unknown>;
}

export function connectChat({
  config,
  databaseUrl,
  metrics,
}: {
  config: Config;
  databaseUrl: string;
  metrics: ChatMetrics;
}): ChatConnections {
  const { poolSize, lockTimeout, pooling } = config.database;
  const connection = { ...connectionLimits(config), url: databaseUrl, observer: metrics.pool };
  const { db, close } = connectDatabase({ ...connection, poolSize, name: 'chat' });
  const sql = connectSql({ ...connection, poolSize, name: 'reads' });
  const reserved = connectSql({ ...connection, poolSize: 2, name: 'guard' });
  const commit = { poolSize: 1, pipeline: 2, planOnce: true, lockTimeout, name: 'lane' };
  return {
    db,
    sql,
    reserved,
    openCommitConnection: () => connectSql({ ...connection, ...commit }),
    ownSessions: poolingOf(parseDatabaseUrl(databaseUrl), pooling) === 'session',
    close: () => Promise.all([close(), sql.end({ timeout: 2 }), reserved.end({ timeout: 2 })]),
  };
}
