/** Checks whether Postgres answers a real query through the real pool. Checks at the same time share one query. */
import { createSingleFlight } from '../concurrency/single-flight.ts';
import type { Outage, Outages } from '../logger/outages.ts';
import type { Sql } from './connect.ts';

/** The outage of the database, shared by all parts that query it. */
export function databaseOutage(outages: Outages): Outage {
  return outages.of('Postgres');
}

/** @param outage gets every answer and every failure */
export function createDatabaseProbe(sql: Sql, timeoutMs: number, outage: Outage): () => Promise<'up' | 'down'> {
  async function ask(): Promise<'up' | 'down'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'down'>((resolve) => {
      timer = setTimeout(() => {
        outage.failed(new Error(`no answer in ${timeoutMs} ms`));
        resolve('down');
      }, timeoutMs);
    });
    const answer = sql`select 1`.then(
      () => {
        outage.ended();
        return 'up' as const;
      },
      (error: unknown) => {
        outage.failed(error);
        return 'down' as const;
      },
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  return createSingleFlight(ask).share;
}
