/**
 * The settings of Postgres that Parley's statements rely on, and how a connection gets them.
 *
 * Not as start-up parameters, because a pooler refuses or drops those that it does not know (PgBouncer's `ignore_startup_parameters`).
 * They are set once when a connection is made. Behind a pooler in transaction mode each transaction may get another server process, so
 * they are set for each transaction.
 */
import type postgres from 'postgres';

/** `session`: a connection keeps its server process. `transaction`: a pooler may give each transaction another one. */
export type Pooling = 'session' | 'transaction';

export interface SessionSettings {
  /** Milliseconds, like all times here. */
  readonly statementTimeout: number;
  readonly lockTimeout: number | undefined;
  /** Plans prepared statements once, whatever their values. */
  readonly planOnce: boolean;
}

/** A key of `connection` that is no start-up parameter: driver-fix.ts runs its statements on each new connection. */
export const sessionSetup = Symbol.for('parley.session-setup');

/**
 * Settings that Parley's statements need, whatever is set for the role or the database (`ALTER ROLE … SET`), with their values. Timeouts
 * that Parley has settings for are not among them.
 */
export const takenForGranted: Readonly<Record<string, string>> = {
  // Times come back as text, and this is the style that the drivers can read.
  datestyle: 'ISO',
  bytea_output: 'hex',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  // After a lost race a transaction reads the newer rows, which the stricter levels do not show it.
  default_transaction_isolation: 'read committed',
  // The pools close idle connections themselves.
  idle_session_timeout: '0',
  lock_timeout: '0',
  // PostgreSQL 17.
  transaction_timeout: '0',
};

const grants = Object.entries(takenForGranted)
  .map(([name, value]) => `('${name}', '${value}')`)
  .join(', ');
/** Sets them for a connection, as far as its server knows them. Runs before the settings of one connection alone. */
export const grantingStatement = `select set_config(name, value, false) from (values ${grants}) wanted (name, value) where current_setting(name, true) is not null`;

/** The statements that set up a connection. */
export function setupStatements({ statementTimeout, lockTimeout, planOnce }: SessionSettings): string {
  return [
    `set statement_timeout = ${statementTimeout}`,
    `set idle_in_transaction_session_timeout = ${statementTimeout * 2}`,
    ...(lockTimeout === undefined ? [] : [`set lock_timeout = ${lockTimeout}`]),
    ...(planOnce ? ['set plan_cache_mode = force_generic_plan'] : []),
  ].join('; ');
}

type Begin = (options: string, work: (tx: postgres.TransactionSql) => unknown) => Promise<unknown>;

/** Makes each transaction begin with its settings. They are sent together with its first statement, so they add no round trip. */
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
      // A failure aborts the transaction, and its next statement fails with the reason.
      set.catch(() => undefined);
      const result = await (what as (inner: postgres.TransactionSql) => unknown)(tx);
      await set;
      return result;
    });
  };
  return Object.assign(client, { begin: withSettings });
}
