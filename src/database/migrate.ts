/** Brings a database to the version of this build, once, however many instances start together. */
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

/** Any number, the same in every build: "PARLEY" on a telephone's keys. */
const migrationLock = 727_539;
const connectTimeoutMs = 10_000;

/** An index of a large table may take longer than the role's statements may. */
const patience = `${grantingStatement}; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0`;

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
  const connection = { ...options.connection, ...(prepare ? { [sessionSetup]: patience } : {}) };
  const lock = postgres({ ...options, connection, prepare });
  const client = postgres({ ...options, connection, prepare });
  try {
    await lock.begin(async (tx) => {
      // However long the migrations take, here and in another instance.
      await tx`set local idle_in_transaction_session_timeout = 0`;
      await tx`set local statement_timeout = 0`;
      await tx`set local lock_timeout = 0`;
      await tx`select pg_advisory_xact_lock(${migrationLock})`;
      if (!(await isMigrated(client))) await applyMigrations(drizzle(client), { migrationsFolder: folder });
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

/**
 * Whether nothing is left to do. Asked first because even making what exists already needs the right to make schemas, which is
 * often taken back after the first start.
 */
async function isMigrated(client: postgres.Sql): Promise<boolean> {
  const [table] = await client`select to_regclass('drizzle.__drizzle_migrations') is not null as there`;
  if (!table!.there) return false;
  const newest = Math.max(...readMigrationFiles({ migrationsFolder: folder }).map(({ folderMillis }) => folderMillis));
  const [row] = await client`select max(created_at)::text as applied from drizzle.__drizzle_migrations`;
  return Number(row!.applied ?? 0) >= newest;
}
