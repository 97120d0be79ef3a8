/** A connection that is lost before its first query, while the driver reads the array types of the server. */
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql } from '../../src/database/connect.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

/** Cuts the first connections as soon as they read the types. Later ones pass. */
async function startCutter(databaseUrl: string, cuts: number) {
  const target = new URL(databaseUrl);
  let seen = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    open.add(client).add(upstream);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    upstream.pipe(client, { end: false });
    client.on('data', (chunk: Buffer) => {
      if (chunk.includes('pg_catalog.pg_type') && seen < cuts) {
        seen += 1;
        client.resetAndDestroy();
      } else upstream.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    seen: () => seen,
    stop: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

test('a connection lost while it reads the array types fails its query only, and the next one reads arrays', async () => {
  const cutter = await startCutter(database.url, 2);
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(cutter.port);
  const rejected: unknown[] = [];
  const note = (error: unknown) => rejected.push(error);
  process.on('unhandledRejection', note);
  const sql = connectSql({ url: url.href, poolSize: 1, statementTimeout: 10_000, connectTimeout: 2000, name: 'cut' });
  const ask = () =>
    sql<{ names: string[] }[]>`select array['a', 'b'] as names`.then(
      ([row]) => row!.names,
      () => 'failed',
    );
  await expect.poll(ask).toEqual(['a', 'b']);
  expect(cutter.seen()).toBe(2);
  expect(rejected).toEqual([]);
  process.off('unhandledRejection', note);
  await sql.end({ timeout: 1 });
  cutter.stop();
});
