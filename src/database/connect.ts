/**
 * Connections to Postgres: one client for Drizzle, one for hand-written hot queries. Drizzle changes the type parsers
 * of the client it is given, so the two are never the same.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { parseDatabaseUrl } from './connection/database-url.ts';
import { driverOptions, poolingOf } from './connection/driver-options.ts';
import { limitQueries, type PoolObserver } from './connection/query-limits.ts';
import {
  grantingStatement,
  type Pooling,
  sessionSetup,
  setUpTransactions,
  setupStatements,
} from './connection/session-settings.ts';
import { guardTransactions } from './connection/transaction-guard.ts';

/** Drizzle over postgres.js, and the same inside a transaction. */
export type Database = PostgresJsDatabase;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
export type Sql = postgres.Sql<{ bigint: bigint }>;

export interface ConnectSettings {
  readonly url: string;
  /** Connections of this client. */
  readonly poolSize: number;
  readonly statementTimeout: number;
  readonly connectTimeout: number;
  /** What stands between, if anything; default `session`. */
  readonly pooling?: Pooling;
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
  database: { statementTimeout, connectTimeout, acquireTimeout, queueMax, pooling },
}: {
  readonly database: Required<
    Pick<ConnectSettings, 'statementTimeout' | 'connectTimeout' | 'acquireTimeout' | 'queueMax' | 'pooling'>
  >;
}) {
  return { statementTimeout, connectTimeout, acquireTimeout, queueMax, pooling };
}

/** A postgres.js client: bounded waits and statements, quick return after a restart of the server. */
export function connectSql(settings: ConnectSettings): Sql {
  const target = parseDatabaseUrl(settings.url);
  const pooling = poolingOf(target, settings.pooling);
  const { planOnce = false, lockTimeout } = settings;
  const { acquireTimeout = 2000, queueMax = 5000, pipeline = 1, poolSize, statementTimeout } = settings;
  const session = { statementTimeout, lockTimeout, planOnce };
  const { connection, ...options } = driverOptions(target, settings);
  const client = postgres({
    ...options,
    max: settings.poolSize,
    // A statement that is prepared in one session does not exist in the next.
    prepare: pooling === 'session',
    // 0.9 s until LISTEN and queries work again after a restart instead of 14 s with the default.
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 1),
    connection: {
      ...connection,
      ...(pooling === 'session' ? { [sessionSetup]: `${grantingStatement}; ${setupStatements(session)}` } : {}),
    },
    types: { bigint: postgres.BigInt },
  });
  return guardTransactions(
    limitQueries(
      pooling === 'session' ? client : setUpTransactions(client, session),
      { runningMax: poolSize * pipeline, acquireTimeout, queueMax, statementTimeout },
      settings.observer?.(settings.name),
    ),
  );
}

export function connectDatabase(settings: ConnectSettings): { db: Database; close: () => Promise<void> } {
  const client = connectSql(settings);
  return { db: drizzle(client), close: () => client.end({ timeout: 5 }) };
}
