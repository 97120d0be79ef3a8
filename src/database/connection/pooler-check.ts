/**
 * Finds out at the start whether a pooler shares server processes between transactions although the settings say that it does not.
 * Prepared statements would fail, or with other software mean something else.
 */
import postgres from 'postgres';
import { parseDatabaseUrl } from './database-url.ts';
import { driverOptions, poolingOf } from './driver-options.ts';
import type { Pooling } from './session-settings.ts';

const tries = 3;
/** Clients that try to get the server process that the first one has just used. */
const othersCount = 3;
const answerMs = 2000;

/** @throws Error with one clear line if server processes are shared and `pooling` is `session`; otherwise the error of Postgres */
export async function checkPooler(url: string, pooling: Pooling): Promise<void> {
  const target = parseDatabaseUrl(url);
  if (poolingOf(target, pooling) === 'transaction') return;
  const options = { ...driverOptions(target, { name: 'check', connectTimeout: 10_000 }), max: 1, prepare: false };
  const first = postgres({ ...options, fetch_types: false });
  const others = Array.from({ length: othersCount }, () => postgres({ ...options, fetch_types: false }));
  try {
    for (let left = tries; left > 0; left--) {
      if (await isShared(first, others))
        throw new Error(
          'a pooler in transaction mode stands in front of Postgres: set database.pooling to transaction (PARLEY_DATABASE_POOLING=transaction), or its pool_mode to session',
        );
    }
  } finally {
    await Promise.all([first, ...others].map((client) => client.end({ timeout: 1 })));
  }
}

/** Whether another client gets the server process of a client that is still connected. */
async function isShared(first: postgres.Sql, others: readonly postgres.Sql[]): Promise<boolean> {
  const own = await backendOf(first);
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const seen: Promise<number | undefined>[] = [];
  const transactions = others.map((other) => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    seen.push(promise);
    return (
      other
        .begin(async (tx) => {
          resolve(await backendOf(tx));
          await released;
        })
        // For example no more connections: no client got the server process.
        .catch(() => resolve(undefined))
    );
  });
  try {
    // A pool in session mode that is too small never answers the other clients. That is no sharing.
    const backends = await Promise.all(seen.map((each) => inTime(each)));
    return backends.includes(own) || ((await inTime(backendOf(first))) ?? own) !== own;
  } finally {
    release();
    await Promise.all(transactions.map((each) => inTime(each)));
  }
}

async function backendOf(sql: postgres.Sql | postgres.TransactionSql): Promise<number> {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row!.pid;
}

/** @returns undefined if there is no answer in time */
async function inTime<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), answerMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined);
  }
}
