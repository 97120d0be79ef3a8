/**
 * The settings of Postgres that Parley's statements rely on, and how they reach a session.
 *
 * Not as start-up parameters: a pooler refuses those it does not know, or drops them (PgBouncer's `ignore_startup_parameters`).
 * Where a connection keeps its session they are set once it is made. Behind a pooler in transaction mode a session belongs to
 * nobody, so they are set for each transaction.
 */
import type postgres from 'postgres';

/** `session`: a connection keeps its session. `transaction`: a pooler gives each transaction another one. */
export type Pooling = 'session' | 'transaction';

export interface SessionSettings {
  /** Milliseconds, as are all. */
  readonly statementTimeout: number;
  readonly lockTimeout: number | undefined;
  /** Statements are planned once, whatever their values. */
  readonly planOnce: boolean;
}

/** Under this key of `connection`, which is no start-up parameter, driver-fix.ts finds what to run on each new connection. */
export const sessionSetup = Symbol.for('parley.session-setup');

/** Statements that set up a session of one's own. */
export function setupStatements({ statementTimeout, lockTimeout, planOnce }: SessionSettings): string {
  return [
    `set statement_timeout = ${statementTimeout}`,
    `set idle_in_transaction_session_timeout = ${statementTimeout * 2}`,
    ...(lockTimeout === undefined ? [] : [`set lock_timeout = ${lockTimeout}`]),
    ...(planOnce ? ['set plan_cache_mode = force_generic_plan'] : []),
  ].join('; ');
}

type Begin = (options: string, work: (tx: postgres.TransactionSql) => unknown) => Promise<unknown>;

/** Makes each transaction begin with its settings. They travel with its first statement, so that it waits for nothing more. */
export function setUpTransactions<Types extends Record<string, unknown>>(
  client: postgres.Sql<Types>,
  settings: SessionSettings,
): postgres.Sql<Types> {
  const begin = client.begin.bind(client) as unknown as Begin;
  const statements = setupStatements({ ...settings, planOnce: false }).replaceAll('set ', 'set local ');
  const withSettings = (options: unknown, work?: unknown) => {
    const [how, what] = work === undefined ? ['', options] : [String(options), work];
    return begin(how, async (tx) => {
      const set = tx.unsafe(statements);
      // A failure aborts the transaction, and is the reason that its next statement is given.
      set.catch(() => undefined);
      const result = await (what as (inner: postgres.TransactionSql) => unknown)(tx);
      await set;
      return result;
    });
  };
  return Object.assign(client, { begin: withSettings });
}
