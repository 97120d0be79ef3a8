/**
 * Connects to Postgres: with one client for Drizzle and one for hand-written hot queries. Drizzle changes the type parsers of its client,
 * so the two are never the same.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { parseDatabaseUrl } from './connection/database-url.ts';
import { driverIsFixed } from './connection/driver-fix.ts';
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
  /** How a pooler in front of Postgres works; default `session`. */
  readonly pooling?: Pooling;
  /** Longest wait for a connection of the pool; default 2 s. */
  readonly acquireTimeout?: number;
  /** Longest wait of a statement for a lock; default: no limit but that of the statement. */
  readonly lockTimeout?: number;
  /** Queries under way at once on one connection; default 1. */
  readonly pipeline?: number;
  /** Queries that wait for a connection at most; further ones are refused. Default 5000. */
  readonly queueMax?: number;
  /** Plans statements once, whatever their values. For statements whose plan is always the same. */
  readonly planOnce?: boolean;
  /** Shown by `pg_stat_activity`, and in metrics. */
  readonly name: string;
  readonly observer?: (name: string) => PoolObserver;
}

/** The settings that hold for every connection. */
export function connectionLimits({
  database: { statementTimeout, connectTimeout, acquireTimeout, queueMax, pooling },
}: {
  readonly database: Required<
    Pick<ConnectSettings, 'statementTimeout' | 'connectTimeout' | 'acquireTimeout' | 'queueMax' | 'pooling'>
  >;
}) {
  return { statementTimeout, connectTimeout, acquireTimeout, queueMax, pooling };
}

/**
 * A postgres.js client with bounded waits and statements, which reconnects quickly after a restart of the server.
 *
 * @throws Error if the driver was loaded before its fixes: its connections would silently lack their settings
 */
export function connectSql(settings: ConnectSettings): Sql {
  if (!(driverIsFixed in globalThis)) throw new Error('load src/database/connection/driver-fix.ts before postgres');
  const target = parseDatabaseUrl(settings.url);
  const pooling = poolingOf(target, settings.pooling);
  const { planOnce = false, lockTimeout } = settings;
  const { acquireTimeout = 2000, queueMax = 5000, pipeline = 1, poolSize, statementTimeout } = settings;
  const session = { statementTimeout, lockTimeout, planOnce };
  const { connection, ...options } = driverOptions(target, settings);
  const client = postgres({
    ...options,
    max: settings.poolSize,
    // A statement that is prepared in one server process does not exist in another.
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
