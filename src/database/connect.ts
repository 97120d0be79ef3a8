/**
 * Connections to Postgres: one client for Drizzle, one for hand-written hot queries. Drizzle changes the type parsers
 * of the client it is given, so the two are never the same.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { limitQueries, type PoolObserver } from './query-limits.ts';
import * as tables from './tables.ts';
import { guardTransactions } from './transaction-guard.ts';

/** Drizzle over postgres.js, and the same inside a transaction. */
export type Database = PostgresJsDatabase<typeof tables>;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
export type Sql = postgres.Sql<{ bigint: bigint }>;

export interface ConnectSettings {
  readonly url: string;
  /** Connections of this client. */
  readonly poolSize: number;
  readonly statementTimeout: number;
  readonly connectTimeout: number;
  /** Longest wait for a connection of the pool; default 2 s. */
  readonly acquireTimeout?: number;
  /** Longest wait of a statement for a lock; default: as long as the statement may take. */
  readonly lockTimeout?: number;
  /** Queries on their way at once on one connection, one behind the other; default 1. */
  readonly pipeline?: number;
  /** Queries that wait for one, more are refused; default 5000. */
  readonly queueMax?: number;
  /** Statements are planned once, whatever their values: for those of which every plan is the same. */
  readonly planOnce?: boolean;
  /** Shown by `pg_stat_activity`, and in metrics. */
  readonly name: string;
  readonly observer?: (name: string) => PoolObserver;
}

/** What the configuration says of every connection. */
export function connectionLimits({
  database: { statementTimeout, connectTimeout, acquireTimeout, queueMax },
}: {
  readonly database: Required<
    Pick<ConnectSettings, 'statementTimeout' | 'connectTimeout' | 'acquireTimeout' | 'queueMax'>
  >;
}) {
  return { statementTimeout, connectTimeout, acquireTimeout, queueMax };
}

/** A postgres.js client: prepared statements, bounded waits and statements, quick return after a restart of the server. */
export function connectSql(settings: ConnectSettings): Sql {
  const client = postgres(settings.url, {
    max: settings.poolSize,
    prepare: true,
    onnotice: () => {},
    connect_timeout: Math.max(1, Math.ceil(settings.connectTimeout / 1000)),
    // 0.9 s until LISTEN and queries work again after a restart instead of 14 s with the default.
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 1),
    connection: {
      application_name: `parley-${settings.name}`,
      statement_timeout: settings.statementTimeout,
      idle_in_transaction_session_timeout: settings.statementTimeout * 2,
      ...(settings.planOnce ? { plan_cache_mode: 'force_generic_plan' } : {}),
      ...(settings.lockTimeout === undefined ? {} : { lock_timeout: settings.lockTimeout }),
    },
    types: { bigint: postgres.BigInt },
  });
  const { acquireTimeout = 2000, queueMax = 5000, pipeline = 1, poolSize, statementTimeout } = settings;
  return guardTransactions(
    limitQueries(
      client,
      { runningMax: poolSize * pipeline, acquireTimeout, queueMax, statementTimeout },
      settings.observer?.(settings.name),
    ),
  );
}

export function connectDatabase(settings: ConnectSettings): { db: Database; close: () => Promise<void> } {
  const client = connectSql(settings);
  return { db: drizzle(client, { schema: tables }), close: () => client.end({ timeout: 5 }) };
}
