/** Brings a database to the version of this build, once, however many instances start together. */
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import { runMigrations as runQueueMigrations } from 'graphile-worker';
import { Pool } from 'pg';
import postgres from 'postgres';

/** Any number, the same in every build: "PARLEY" on a telephone's keys. */
const migrationLock = 727_539;

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies `migrations/` and the job queue's own schema under one advisory lock.
 * @throws whatever Postgres says; nothing is half applied, each migration is a transaction
 */
export async function migrate(url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 });
  try {
    await client`select pg_advisory_lock(${migrationLock})`;
    await applyMigrations(drizzle(client), { migrationsFolder: folder });
    const pgPool = new Pool({ connectionString: url, max: 1 });
    // A lost connection fails the migration by its query; the event alone must not end the process.
    const ignore = () => {};
    pgPool.on('error', ignore);
    pgPool.on('connect', (connection) => connection.on('error', ignore));
    try {
      await runQueueMigrations({ pgPool });
    } finally {
      await pgPool.end();
    }
  } finally {
    // Ending the session releases the lock, also after a failure.
    await client.end({ timeout: 5 });
  }
}
