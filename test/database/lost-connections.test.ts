import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectDatabase, connectSql } from '../../src/database/connect.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let killer: postgres.Sql;
const settings = () => ({
  url: database.url,
  poolSize: 1,
  statementTimeout: 5000,
  connectTimeout: 2000,
  name: 'victim',
});
const cut = () =>
  killer`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley-victim'`;
const victims = async () =>
  Number((await killer`select count(*) from pg_stat_activity where application_name = 'parley-victim'`)[0]!.count);

beforeAll(async () => {
  database = await createDatabase();
  killer = postgres(database.url, { max: 1 });
});
afterAll(async () => {
  await killer.end();
  await database.drop();
});

test('a transaction whose connection is cut fails, and the next one works at once', async () => {
  const { db, close } = connectDatabase(settings());
  for (let round = 0; round < 5; round++) {
    const failed = db.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      await cut();
      await expect.poll(victims).toBe(0);
      // The driver's own rollback and a query of Parley, on a connection that is gone.
      await tx.execute(sql`select 2`);
    });
    await expect(failed).rejects.toThrow();
    expect([...(await db.execute(sql`select 3 as three`))]).toEqual([{ three: 3 }]);
  }
  await close();
});

test('queries pipelined on a connection that is cut all settle, and later ones work', async () => {
  const client = connectSql(settings());
  for (let round = 0; round < 5; round++) {
    await client`select 1`;
    const answers = Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => client`select ${n}::int as n, pg_sleep(0.002)`),
    );
    await cut();
    expect((await answers).map(({ status }) => status)).toContain('rejected');
    await expect.poll(async () => (await client`select 7 as seven`.catch(() => []))[0]?.seven).toBe(7);
  }
  await client.end();
});
