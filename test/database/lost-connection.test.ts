import { sql as template } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectDatabase, connectSql, type Database, type Sql } from '../../src/database/connect.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let sql: Sql;
let db: Database;
let watcher: Sql;
let closeDatabase: () => Promise<void>;

beforeAll(async () => {
  database = await createDatabase();
  // One connection, so that the next query shows what became of it.
  const settings = { url: database.url, poolSize: 1, statementTimeout: 10_000, connectTimeout: 2000, name: 'lost' };
  sql = connectSql(settings);
  ({ db, close: closeDatabase } = connectDatabase({ ...settings, name: 'lost-drizzle' }));
  watcher = connectSql({ ...settings, poolSize: 2, name: 'watcher' });
  await watcher`create table notes (text text primary key)`;
});
afterAll(async () => {
  await Promise.all([sql.end({ timeout: 1 }), closeDatabase(), watcher.end({ timeout: 1 })]);
  await database.drop();
});

/** Cuts the connection whose last statement carries the mark, as soon as it has that state. */
async function cut(mark: string, state: 'active' | 'idle in transaction'): Promise<void> {
  await expect
    .poll(async () => {
      const rows = await watcher`select pg_terminate_backend(pid) from pg_stat_activity
        where query like ${`%${mark}%`} and state = ${state} and pid <> pg_backend_pid()`;
      return rows.length;
    })
    .toBe(1);
}

/** The client works: at once or after a reconnect, never hanging. */
async function expectUsable(): Promise<void> {
  for (let index = 0; index < 3; index++) {
    await expect
      .poll(() =>
        sql`select 1`.then(
          () => 'fine',
          () => 'failed',
        ),
      )
      .toBe('fine');
    await expect
      .poll(() =>
        db.execute(template`select 1`).then(
          () => 'fine',
          () => 'failed',
        ),
      )
      .toBe('fine');
  }
}

test.each([1, 2, 3])('a transaction cut during a query fails and the client goes on (%i)', async (round) => {
  const lost = sql.begin(async (tx) => {
    await tx.unsafe(`select pg_sleep(8) as cut_query_${round}`);
  });
  const failed = expect(lost).rejects.toThrow();
  await cut(`cut_query_${round}`, 'active');
  await failed;
  await expectUsable();
});

test('a transaction cut between two queries runs neither its next query nor its commit', async () => {
  let proceed: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  let late: unknown;
  const lost = sql.begin(async (tx) => {
    await tx`select 1 as cut_between`;
    await gate;
    late = await tx`insert into notes values ('late')`.catch((error: Error) => error);
  });
  const failed = expect(lost).rejects.toThrow('CONNECTION_CLOSED');
  await cut('cut_between', 'idle in transaction');
  await failed;
  // Another transaction has the connection now.
  await sql.begin(async (tx) => {
    await tx`insert into notes values ('mine')`;
    proceed();
    await tx`select pg_sleep(0.05)`;
  });
  expect(late).toBeUndefined();
  expect((await watcher`select text from notes`).map(({ text }) => text)).toEqual(['mine']);
  await expectUsable();
});

test('the same holds through Drizzle, and in a savepoint', async () => {
  for (const mark of ['cut_savepoint_1', 'cut_savepoint_2']) {
    const lost = db.transaction(async (tx) => {
      await tx
        .transaction(async (inner) => {
          await inner.execute(template.raw(`select pg_sleep(8) as ${mark}`));
        })
        .catch(() => {});
      await tx.execute(template`insert into notes values ('after the savepoint')`);
    });
    const failed = expect(lost).rejects.toThrow();
    await cut(mark, 'active');
    await failed;
    await expectUsable();
  }
  expect(await watcher`select 1 from notes where text = 'after the savepoint'`).toHaveLength(0);
});

test('a lost connection of another client inside a transaction only rolls it back', async () => {
  const outcome = sql.begin(async (tx) => {
    await tx`insert into notes values ('rolled back')`;
    await db.execute(template.raw('select pg_sleep(8) as cut_other'));
  });
  const failed = expect(outcome).rejects.toThrow();
  await cut('cut_other', 'active');
  await failed;
  expect(await watcher`select 1 from notes where text = 'rolled back'`).toHaveLength(0);
  await expectUsable();
});

test('the guard changes neither the result nor the error of a transaction', async () => {
  await expect(sql.begin(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(sql.begin(async (tx) => tx`select * from nowhere`)).rejects.toMatchObject({ code: '42P01' });
  expect(await sql.begin((tx) => [tx`select 1 as a`, tx`select 2 as a`])).toMatchObject([[{ a: 1 }], [{ a: 2 }]]);
  expect(await sql.begin('read only', async (tx) => (await tx`show transaction_read_only`)[0])).toMatchObject({
    transaction_read_only: 'on',
  });
});
