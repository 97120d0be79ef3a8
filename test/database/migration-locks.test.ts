import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linkLoss } from '../../src/database/database-errors.ts';
import { migrate } from '../../src/database/migrate.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 3 });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const applied = async () => Number((await sql`select count(*) from drizzle.__drizzle_migrations`)[0]!.count);
const waitingForUsers = async () =>
  Number((await sql`select count(*) from pg_locks where relation = 'users'::regclass and not granted`)[0]!.count);

test('a migration that cannot lock a table lets its readers go on, and is applied by a later try', async () => {
  const all = await applied();
  // The newest one that locks users has to be applied again.
  await sql`delete from drizzle.__drizzle_migrations where created_at = (select max(created_at) from drizzle.__drizzle_migrations)`;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const longReader = sql.begin(async (tx) => {
    await tx`select count(*) from users`;
    await released;
  });
  const migrating = migrate(database.url).then(
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
  await migrate(database.url);
  expect(await applied()).toBe(all);
});
