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

/**
 * What Parley's statements take for granted, whatever is set for the role or the database (`ALTER ROLE … SET`), and the value that a
 * session gets. Timeouts with settings of their own are not among them.
 */
export const takenForGranted: Readonly<Record<string, string>> = {
  // Times come back as text, which only this style lets everybody read.
  datestyle: 'ISO',
  bytea_output: 'hex',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  // A lost race is found out by reading on, which the stricter levels forbid within a transaction.
  default_transaction_isolation: 'read committed',
  // Connections that wait are the pools' to close.
  idle_session_timeout: '0',
  lock_timeout: '0',
  // PostgreSQL 17.
  transaction_timeout: '0',
};

const grants = Object.entries(takenForGranted)
  .map(([name, value]) => `('${name}', '${value}')`)
  .join(', ');
/** Sets them in a session of one's own, as far as its server knows them. Comes before what is set for one connection alone. */
export const grantingStatement = `select set_config(name, value, false) from (values ${grants}) wanted (name, value) where current_setting(name, true) is not null`;

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
