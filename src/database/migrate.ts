/** Migrates a database to the version of this build. Instances that start together do it once. */
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { runMigrations as runQueueMigrations } from 'graphile-worker';
import postgres from 'postgres';
import { parseDatabaseUrl } from './connection/database-url.ts';
import { driverOptions, poolingOf } from './connection/driver-options.ts';
import { PgPool } from './connection/pg-pool.ts';
import { grantingStatement, type Pooling, sessionSetup } from './connection/session-settings.ts';

/** The key of the advisory lock, the same in every build: "PARLEY" on a telephone's keys. */
const migrationLock = 727_539;
const connectTimeoutMs = 10_000;

/** Everything that uses a table queues behind a migration that waits for it. So the migration gives up, and the start tries again. */
const lockWaitMaxMs = 3000;

/** Lifts the role's time limits, because an index of a large table may take longer. Only the wait for a lock is short. */
const patience = `${grantingStatement}; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set lock_timeout = ${lockWaitMaxMs}`;

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies `migrations/` and the schema of the job queue under one advisory lock. A transaction holds the lock, because behind a pooler
 * connections are shared.
 * @throws the error of Postgres. Each migration is a transaction, so none is applied in part
 */
export async function migrate(url: string, pooling: Pooling = 'session'): Promise<void> {
  const target = parseDatabaseUrl(url);
  const options = { ...driverOptions(target, { name: 'migration', connectTimeout: connectTimeoutMs }), max: 1 };
  const prepare = poolingOf(target, pooling) === 'session';
  const connection = { ...options.connection, ...(prepare ? { [sessionSetup]: patience } : {}) };
  const lock = postgres({ ...options, connection, prepare });
  const client = postgres({ ...options, connection, prepare });
  try {
    await lock.begin(async (tx) => {
      // The migrations may take long, here and in another instance.
      await tx`set local idle_in_transaction_session_timeout = 0`;
      await tx`set local statement_timeout = 0`;
      await tx`set local lock_timeout = 0`;
      await tx`select pg_advisory_xact_lock(${migrationLock})`;
      if (!(await isMigrated(client))) await applyMigrations(drizzle(client), { migrationsFolder: folder });
      await migrateQueue(url, pooling);
    });
  } finally {
    // Ending the connection releases the lock, even after a failure.
    await Promise.all([client.end({ timeout: 5 }), lock.end({ timeout: 5 })]);
  }
}

async function migrateQueue(url: string, pooling: Pooling): Promise<void> {
  // The query of a lost connection fails, and with it the migration.
  const onError = () => {};
  const pool = new PgPool({ url, pooling, poolSize: 1, connectTimeout: connectTimeoutMs, name: 'migration' }, onError);
  try {
    const noPreparedStatements = poolingOf(parseDatabaseUrl(url), pooling) === 'transaction';
    await runQueueMigrations({ pgPool: pool, noPreparedStatements });
  } finally {
    await pool.end();
  }
}

/**
 * Whether every migration is applied. Checked first, because even `create … if not exists` needs the right to create schemas, which is
 * often revoked after the first start.
 */
async function isMigrated(client: postgres.Sql): Promise<boolean> {
  const [table] = await client`select to_regclass('drizzle.__drizzle_migrations') is not null as there`;
  if (!table!.there) return false;
  const newest = Math.max(...readMigrationFiles({ migrationsFolder: folder }).map(({ folderMillis }) => folderMillis));
  const [row] = await client`select max(created_at)::text as applied from drizzle.__drizzle_migrations`;
  return Number(row!.applied ?? 0) >= newest;
}
