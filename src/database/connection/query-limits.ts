/**
 * Deadlines for every query of a client. postgres.js waits for a connection and for an answer without a limit, and behind a network that
 * drops packets neither comes. Here a query waits for a connection for a bounded time, in a bounded queue. If its answer is overdue, its
 * connection is destroyed and replaced.
 *
 * A query is: waiting (all connections are in use) → running → answered; or refused while it waits, so Postgres saw nothing of it; or
 * overdue while it runs, so its outcome is unknown.
 */

import type postgres from 'postgres';
import { createGate, type Gate } from '../../concurrency/gate.ts';
import { Failure } from '../../errors.ts';

export interface QueryLimits {
  /** Queries and transactions that run at once: as many as there are connections, or as these may pipeline. */
  readonly runningMax: number;
  /** Milliseconds until a query that waits for a connection is refused. */
  readonly acquireTimeout: number;
  /** Queries that wait at most. Further ones are refused. */
  readonly queueMax: number;
  /** Postgres cancels a statement after this many milliseconds. */
  readonly statementTimeout: number;
}

/** Receives what happens in a pool, for metrics. */
export interface PoolObserver {
  readonly onUse: (running: number, waiting: number) => void;
  /** `refused`: no connection in time or the queue is full. `dropped`: a connection that did not answer was destroyed. */
  readonly onLimit: (what: 'refused' | 'dropped') => void;
}

/** The parts of the driver's query that its types do not show. driver-fix.ts adds `drop`. */
interface DriverQuery extends Promise<unknown> {
  handler: (query: DriverQuery) => void;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  /** Set once a connection has the query. */
  readonly state: object | null;
  readonly drop?: () => void;
}

/** Work that holds a connection: one query, or a transaction from its begin to its end. */
interface Running {
  readonly limitMs: number;
  sinceMs: number;
  /** Its connection, as soon as it has one. */
  query: DriverQuery | undefined;
  reached: boolean;
}

/** Postgres cancels a statement by itself. Its answer may come this much later. */
const graceMs = 500;
const lookEveryMs = 250;

type Begin = (options: string, work: unknown) => Promise<unknown>;
type Unsafe = (text: string, args?: unknown, options?: { onexecute?: unknown }) => DriverQuery;

/** Holds the client to the limits. The client itself is changed, and is used as before. */
export function limitQueries<Types extends Record<string, unknown>>(
  client: postgres.Sql<Types>,
  limits: QueryLimits,
  observer?: PoolObserver,
): postgres.Sql<Types> {
  const gate = createGate({
    max: limits.runningMax,
    queueMax: limits.queueMax,
    waitMaxMs: limits.acquireTimeout,
    refusal: (why) => {
      observer?.onLimit('refused');
      return why === 'full'
        ? busyFailure('too many queries wait for the database')
        : busyFailure('no connection to the database became free in time');
    },
  });
  const running = createRunningQueries(gate, observer);
  /** The transaction whose `begin` is being issued in this very call. */
  let beginning: Running | undefined;

  /** The driver calls `handler` when a query is awaited, and never for a fragment of another query. */
  function limit(query: DriverQuery): DriverQuery {
    const { handler, resolve, reject } = query;
    query.handler = () =>
      gate.pass(() => {
        const entry = running.begin(limits.statementTimeout + graceMs, query);
        query.resolve = (value) => {
          running.end(entry);
          resolve(value);
        };
        query.reject = (error) => {
          running.end(entry);
          reject(error);
        };
        handler(query);
      }, reject);
    return query;
  }

  const driverBegin = client.begin.bind(client) as unknown as Begin;
  const driverUnsafe = client.unsafe.bind(client) as unknown as Unsafe;

  /** The driver's own `begin` statement comes through here; its connection is that of the whole transaction. */
  function unsafe(...args: Parameters<Unsafe>): DriverQuery {
    const query = driverUnsafe(...args);
    if (!args[2]?.onexecute) return limit(query);
    if (beginning) beginning.query = query;
    return query;
  }

  function beginLimited(options: unknown, work?: unknown): Promise<unknown> {
    const [how, what] = work === undefined ? ['', options] : [String(options), work];
    return new Promise((resolve, reject) => {
      gate.pass(() => {
        const entry = running.begin(limits.statementTimeout * 2 + graceMs, undefined);
        beginning = entry;
        const outcome = driverBegin(how, what);
        beginning = undefined;
        outcome.finally(() => running.end(entry)).then(resolve, reject);
      }, reject);
    });
  }

  Object.assign(client, { begin: beginLimited, unsafe });
  return new Proxy(client, {
    apply: (target, self, args) => {
      const query = Reflect.apply(target as unknown as (...all: unknown[]) => unknown, self, args);
      return isQuery(query) ? limit(query) : query;
    },
  });
}

/** The work that holds connections. Destroys a connection whose answer is overdue; a timer looks at all of them while there are any. */
function createRunningQueries(gate: Gate, observer: PoolObserver | undefined) {
  const running = new Set<Running>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    gate.expire();
    const nowMs = performance.now();
    for (const each of running) dropIfOverdue(each, nowMs);
    if (running.size === 0 && gate.waiting() === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    observer?.onUse(running.size, gate.waiting());
  }

  function dropIfOverdue(each: Running, nowMs: number): void {
    // The time for an answer begins when the query has a connection. Connecting has a deadline of its own.
    if (!each.reached && each.query?.state) {
      each.reached = true;
      each.sinceMs = nowMs;
    } else if (each.reached && nowMs - each.sinceMs > each.limitMs) {
      observer?.onLimit('dropped');
      each.sinceMs = nowMs;
      each.query?.drop?.();
    }
  }

  return {
    begin: (limitMs: number, query: DriverQuery | undefined): Running => {
      const entry = { limitMs, sinceMs: performance.now(), query, reached: false };
      running.add(entry);
      timer ??= setInterval(look, lookEveryMs).unref();
      return entry;
    },
    end: (entry: Running): void => {
      if (running.delete(entry)) gate.leave();
    },
  };
}

function isQuery(value: unknown): value is DriverQuery {
  return value instanceof Promise && typeof (value as Partial<DriverQuery>).handler === 'function';
}

/** Postgres saw nothing of a query that waited, so the refusal is definite. */
function busyFailure(message: string): Failure {
  return new Failure('unavailable', message, { retryAfterMs: 1000 });
}
