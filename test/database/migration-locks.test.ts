import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linkLoss } from '../../src/database/database-errors.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

const migrations = fileURLToPath(new URL('../../migrations', import.meta.url));
/** The first migration that the database does not have yet. It changes `users`. */
const firstMissing = '0013_names_by_code_point';

let database: TestDatabase;
let url: string;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createDatabase();
  url = await createOlderDatabase(database.url);
  sql = postgres(url, { max: 3, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  const server = postgres(database.url, { max: 1 });
  await server.unsafe(`drop database ${new URL(url).pathname.slice(1)} with (force)`);
  await server.end();
  await database.drop();
});

/** A database as an older version of Parley left it. */
async function createOlderDatabase(besideUrl: string): Promise<string> {
  const name = `older_${Date.now().toString(36)}`;
  const server = postgres(besideUrl, { max: 1 });
  await server.unsafe(`create database ${name} template template0`);
  await server.end();
  const older = new URL(besideUrl);
  older.pathname = `/${name}`;
  const folder = await mkdtemp(join(tmpdir(), 'parley-migrations-'));
  await cp(migrations, folder, { recursive: true });
  const journalFile = join(folder, 'meta/_journal.json');
  const journal = JSON.parse(await readFile(journalFile, 'utf8')) as { entries: { tag: string }[] };
  const entries = journal.entries.slice(
    0,
    journal.entries.findIndex(({ tag }) => tag === firstMissing),
  );
  await writeFile(journalFile, JSON.stringify({ ...journal, entries }));
  const client = postgres(older.href, { max: 1, onnotice: () => {} });
  await applyMigrations(drizzle(client), { migrationsFolder: folder });
  await client.end();
  await rm(folder, { recursive: true });
  return older.href;
}

const applied = async () => Number((await sql`select count(*) from drizzle.__drizzle_migrations`)[0]!.count);
const waitingForUsers = async () =>
  Number((await sql`select count(*) from pg_locks where relation = 'users'::regclass and not granted`)[0]!.count);

test('a migration that cannot lock a table lets its readers go on, and is applied by a later try', async () => {
  const before = await applied();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const longReader = sql.begin(async (tx) => {
    await tx`select count(*) from users`;
    await released;
  });
  const migrating = migrate(url).then(
    () => 'applied',
    (error: unknown) => linkLoss(error),
  );
  await expect.poll(waitingForUsers).toBe(1);
  // Queued behind the migration, which is queued behind the long reader.
  expect(await sql`select count(*) from users`).toHaveLength(1);
  // The start tries again after such an error.
  expect(await migrating).toBe('rolled-back');
  release();
  await longReader;
  expect(await applied()).toBe(before);
  await migrate(url);
  expect(await applied()).toBeGreaterThan(before);
});
