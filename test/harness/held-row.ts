/** Forces an order upon requests that meet at one row: a test holds it, sees each of them arrive, and lets go. */
import postgres from 'postgres';
import { expect } from 'vitest';
import type { TestDatabase } from './test-database.ts';

export interface HeldRow {
  /** Resolves when so many statements of others wait for a lock. Postgres serves them in the order in which they came. */
  readonly waiting: (count: number) => Promise<void>;
  readonly release: () => Promise<void>;
}

/** Holds a user's row for update with a connection of the test's own. */
export async function holdUser(database: TestDatabase, userId: string): Promise<HeldRow> {
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  let letGo: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let transaction: Promise<unknown> | undefined;
  await new Promise<void>((resolve, reject) => {
    transaction = sql.begin(async (tx) => {
      await tx`select from users where id = ${userId} for update`;
      resolve();
      await ended;
    });
    transaction.catch(reject);
  });
  return {
    waiting: (count) =>
      expect
        .poll(
          async () =>
            Number(
              (
                await sql`select count(*) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock'`
              )[0]!.count,
            ),
          { timeout: 15_000 },
        )
        .toBe(count),
    release: async () => {
      letGo();
      await transaction;
      await sql.end();
    },
  };
}
