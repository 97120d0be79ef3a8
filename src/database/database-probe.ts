/** Whether Postgres answers a real query through the real pool, asked at most once at a time. */
import type { Sql } from './connect.ts';

export function createDatabaseProbe(sql: Sql, timeoutMs: number): () => Promise<'up' | 'down'> {
  let running: Promise<'up' | 'down'> | undefined;

  async function ask(): Promise<'up' | 'down'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'down'>((resolve) => {
      timer = setTimeout(() => resolve('down'), timeoutMs);
    });
    const answer = sql`select 1`.then(
      () => 'up' as const,
      () => 'down' as const,
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
