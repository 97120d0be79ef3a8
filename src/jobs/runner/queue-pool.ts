/**
 * Connections for graphile-worker, which gives up on most errors of a connection: a job whose end cannot be recorded
 * is an unhandled rejection there, the end of the process. With this pool it waits for the database, and then tries
 * again what failed.
 */
import type { PoolClient } from 'pg';
import { PgPool, type PgPoolSettings } from '../../database/connection/pg-pool.ts';

/** An error that graphile-worker repeats a statement for (cannot_connect_now), up to a hundred times. */
const repeatable = '57P03';
/** read_only_sql_transaction */
const readOnly = '25006';
/** SQLSTATE classes that no repetition helps against: bad data, broken constraints, wrong SQL. */
const hopeless = ['0A', '22', '23', '42'];
const pauseMaxMs = 1000;

export class QueuePool extends PgPool {
  readonly #stopping: AbortSignal;

  /** @param stopping from then on a missing database is an error like any other */
  constructor(settings: PgPoolSettings, stopping: AbortSignal, onError: (error: Error) => void) {
    // A connection that breaks shows in the query that uses it.
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

  /** Ends when what is under way has been answered, at the latest after `waitMs`. */
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

/** Waits, or until the signal. */
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
