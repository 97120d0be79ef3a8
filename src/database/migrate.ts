/** Brings a database to the version of this build, once, however many instances start together. */
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { runMigrations as runQueueMigrations } from 'graphile-worker';
import postgres from 'postgres';
import { driverOptions, poolingOf } from './connect.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { PgPool } from './pg-pool.ts';
import type { Pooling } from './session-settings.ts';

/** Any number, the same in every build: "PARLEY" on a telephone's keys. */
const migrationLock = 727_539;
const connectTimeoutMs = 10_000;

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies `migrations/` and the job queue's own schema under one advisory lock. The lock belongs to a transaction, not to a
 * session: behind a pooler sessions are shared.
 * @throws whatever Postgres says; nothing is half applied, each migration is a transaction
 */
export async function migrate(url: string, pooling: Pooling = 'session'): Promise<void> {
  const target = parseDatabaseUrl(url);
  const options = { ...driverOptions(target, { name: 'migration', connectTimeout: connectTimeoutMs }), max: 1 };
  const prepare = poolingOf(target, pooling) === 'session';
  const lock = postgres({ ...options, prepare });
  const client = postgres({ ...options, prepare });
  try {
    await lock.begin(async (tx) => {
      // However long the migrations take.
      await tx`set local idle_in_transaction_session_timeout = 0`;
      await tx`select pg_advisory_xact_lock(${migrationLock})`;
      await applyMigrations(drizzle(client), { migrationsFolder: folder });
      await migrateQueue(url, pooling);
    });
  } finally {
    // Ending the session releases the lock, also after a failure.
    await Promise.all([client.end({ timeout: 5 }), lock.end({ timeout: 5 })]);
  }
}

async function migrateQueue(url: string, pooling: Pooling): Promise<void> {
  // A lost connection fails the migration by its query.
  const onError = () => {};
  const pool = new PgPool({ url, pooling, poolSize: 1, connectTimeout: connectTimeoutMs, name: 'migration' }, onError);
  try {
    const noPreparedStatements = poolingOf(parseDatabaseUrl(url), pooling) === 'transaction';
    await runQueueMigrations({ pgPool: pool, noPreparedStatements });
  } finally {
    await pool.end();
  }
}
