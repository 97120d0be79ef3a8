/** Whether Postgres answers a real query through the real pool, asked at most once at a time. */
import type { Outage, Outages } from '../logger/outages.ts';
import type { Sql } from './connect.ts';

/** The outage of the database, shared by all that asks it. */
export function databaseOutage(outages: Outages): Outage {
  return outages.of('Postgres');
}

/** @param outage told of every answer, and of its absence */
export function createDatabaseProbe(sql: Sql, timeoutMs: number, outage: Outage): () => Promise<'up' | 'down'> {
  let running: Promise<'up' | 'down'> | undefined;

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

  return () => {
    running ??= ask().finally(() => {
      running = undefined;
    });
    return running;
  };
}
