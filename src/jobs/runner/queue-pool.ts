/**
 * Connections for graphile-worker. It gives up on most connection errors, and a job whose end it cannot record is an
 * unhandled rejection that ends the process. This pool waits for the database and then repeats the failed statement.
 */
import type { PoolClient } from 'pg';
import { PgPool, type PgPoolSettings } from '../../database/connection/pg-pool.ts';

/** An error after which graphile-worker repeats a statement up to 100 times (cannot_connect_now). */
const repeatable = '57P03';
/** read_only_sql_transaction */
const readOnly = '25006';
/** SQLSTATE classes of errors that a retry cannot fix: bad data, violated constraints, wrong SQL. */
const hopeless = ['0A', '22', '23', '42'];
const pauseMaxMs = 1000;

export class QueuePool extends PgPool {
  readonly #stopping: AbortSignal;

  /** @param stopping once aborted, a missing database is an error like any other */
  constructor(settings: PgPoolSettings, stopping: AbortSignal, onError: (error: Error) => void) {
    // The query on a broken connection reports the error.
    super(settings, onError);
    this.#stopping = stopping;
    this.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      Object.assign(client, {
        query: (...args: unknown[]) => {
          const result = query(...args);
          if (!(result instanceof Promise)) return result;
          return result.catch(async (error: Error & { code?: string }) => {
            // After a failover only a new connection may lead to a server that takes writes.
            if (error.code === readOnly) await client.end().catch(onError);
            return rethrow(error);
          });
        },
      });
    });
  }

  /** Waits until there is a connection. */
  override connect(): Promise<PoolClient>;
  override connect(
    callback: (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void,
  ): void;
  override connect(
    callback?: (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void,
  ): unknown {
    return callback ? super.connect(callback) : this.#connectPatiently();
  }

  async #connectPatiently(): Promise<PoolClient> {
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
      try {
        return await super.connect();
      } catch (error) {
        if (this.#stopping.aborted) return rethrow(error as Error);
        await pause(pauseMs, this.#stopping);
      }
    }
  }

  /** Closes the pool when running queries have finished, after `waitMs` at the latest. */
  async endQuietly(waitMs: number): Promise<void> {
    const lateAt = performance.now() + waitMs;
    while (performance.now() < lateAt && (this.waitingCount > 0 || this.idleCount < this.totalCount)) await pause(10);
    await this.end();
  }
}

function rethrow(error: Error & { code?: string }): never {
  if (hopeless.includes(error.code?.slice(0, 2) ?? '')) throw error;
  throw Object.assign(new Error('the queue is out of reach', { cause: error }), { code: repeatable });
}

/** Waits until the time has passed or the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
