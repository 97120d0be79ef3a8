import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql } from '../../src/database/connect.ts';
import { linkLoss } from '../../src/database/database-errors.ts';
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
let proxy: TcpProxy;

beforeAll(async () => {
  database = await createDatabase();
  const { port } = new URL(database.url);
  proxy = await startTcpProxy(() => [Number(port)]);
});
afterAll(async () => {
  await proxy.stop();
  await database.drop();
});

function connect(limits: { poolSize?: number; acquireTimeout?: number; queueMax?: number; statementTimeout?: number }) {
  const told: string[] = [];
  const url = new URL(database.url);
  url.port = String(proxy.port);
  const sql = connectSql({
    url: url.href,
    poolSize: 1,
    acquireTimeout: 300,
    statementTimeout: 1000,
    connectTimeout: 1000,
    name: 'limits',
    observer: () => ({ onUse: () => {}, onLimit: (what) => told.push(what) }),
    ...limits,
  });
  return { sql, told, end: () => sql.end({ timeout: 1 }) };
}

test('a query without a connection in time is definitely refused, and the next one gets the connection', async () => {
  const { sql, told, end } = connect({ statementTimeout: 5000 });
  await sql`select 1`;
  const long = sql`select pg_sleep(1)`.execute();
  await expect(sql`create table never (n int)`).rejects.toMatchObject({ code: 'unavailable' });
  expect(told).toEqual(['refused']);
  await long;
  expect((await sql`select to_regclass('never') as found`)[0]!.found).toBeNull();
  await end();
});

test('a connection attempt without an answer is given up in time, and repeated when the network is back', async () => {
  proxy.become('swallow');
  const { sql, told, end } = connect({ acquireTimeout: 600_000, statementTimeout: 600_000 });
  // It was never sent, so the refusal is definite.
  const error: unknown = await sql`select 1`.catch((reason: unknown) => reason);
  expect(linkLoss(error)).toBe('never-connected');
  expect(told).toEqual([]);
  proxy.become('pass');
  await expect.poll(() => sql`select 3 as n`.catch(() => [])).toMatchObject([{ n: 3 }]);
  await end();
});

test('at most the bound of queries wait for a connection, transactions included', async () => {
  const { sql, told, end } = connect({ queueMax: 2, acquireTimeout: 5000, statementTimeout: 5000 });
  const long = sql`select pg_sleep(0.5)`.execute();
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = [sql`select 1 as n`.execute(), sql.begin(async (tx) => tx`select 2 as n`)];
  await new Promise((resolve) => setImmediate(resolve));
  await expect(sql`select 3 as n`).rejects.toMatchObject({ code: 'unavailable' });
  await expect(sql.begin(async (tx) => tx`select 4 as n`)).rejects.toMatchObject({ code: 'unavailable' });
  expect(told).toEqual(['refused', 'refused']);
  await long;
  expect(await Promise.all(waiting)).toMatchObject([[{ n: 1 }], [{ n: 2 }]]);
  await end();
});

test('a query whose answer is lost in the network ends with an unknown outcome, and costs only its connection', async () => {
  const { sql, told, end } = connect({ statementTimeout: 500 });
  await sql`select 1`;
  proxy.become('swallow');
  const error: unknown = await sql`select 2`.catch((reason: unknown) => reason);
  expect(linkLoss(error)).toBe('in-flight');
  expect(told).toContain('dropped');
  proxy.become('pass');
  await expect.poll(() => sql`select 3 as n`.catch(() => [])).toMatchObject([{ n: 3 }]);
  await end();
});

test('a transaction that is lost in the network ends, at whatever statement', async () => {
  const { sql, end } = connect({ statementTimeout: 400 });
  await sql`select 1`;
  const outcome = sql.begin(async (tx) => {
    await tx`select 1`;
    proxy.become('swallow');
    await tx`select 2`;
  });
  await expect(outcome).rejects.toSatisfy((error) => linkLoss(error) === 'in-flight');
  proxy.become('pass');
  await expect.poll(() => sql`select 3 as n`.catch(() => [])).toMatchObject([{ n: 3 }]);
  await end();
});

test('the server cancels a statement that takes too long, and rolls it back', async () => {
  const { sql, end } = connect({ statementTimeout: 300 });
  const error: unknown = await sql`select pg_sleep(2)`.catch((reason: unknown) => reason);
  expect(linkLoss(error)).toBe('rolled-back');
  expect(await sql`select 1 as n`).toMatchObject([{ n: 1 }]);
  await end();
});
