/**
 * Keeps a transaction from writing to its connection after that was lost. Without this the driver's own rollback, written between the
 * last error and the close, leaves the connection unusable for good, and a late query of the lost transaction runs inside another
 * transaction after a reconnect (issues 1208, 1133 and 1216 of postgres.js 3.4.9). `begin` itself has rejected before that.
 * driver-fix.ts does the other part: it clears the old state of a connection.
 */
import postgres from 'postgres';

/** Codes of a broken connection, from the driver and from the socket. */
const linkCodes = new Set(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
/** The error of a query arrives a moment before the end of its connection. */
const graceMs = 1000;

type Work = (tx: postgres.TransactionSql) => unknown;
type Begin = (options: string, work: Work) => Promise<unknown>;

/** Makes `begin`, and Drizzle's transactions on it, survive the loss of a connection at any moment. */
export function guardTransactions<Types extends Record<string, unknown>>(
  client: postgres.Sql<Types>,
): postgres.Sql<Types> {
  const begin = client.begin.bind(client) as unknown as Begin;
  const guarded = (options: string | Work, work?: Work) =>
    typeof options === 'string' ? beginGuarded(begin, options, work!) : beginGuarded(begin, '', options);
  return Object.assign(client, { begin: guarded });
}

function beginGuarded(begin: Begin, options: string, work: Work): Promise<unknown> {
  let loss: Error | undefined;
  let tellGone: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    tellGone = resolve;
  });

  /** Runs a transaction or a savepoint. It never settles once the connection is gone, so nothing follows it. */
  async function run(inner: Work, tx: postgres.TransactionSql): Promise<unknown> {
    try {
      const result = inner(guard(tx));
      const settled = await (Array.isArray(result) ? Promise.all(result) : result);
      return loss ? await nothing() : settled;
    } catch (error) {
      // The error may come from another connection that was used inside the transaction.
      if (!loss && mayBeLoss(error)) await Promise.race([gone, pause(graceMs)]);
      if (loss) return nothing();
      throw error;
    }
  }

  function guard(tx: postgres.TransactionSql): postgres.TransactionSql {
    return new Proxy(tx, {
      apply: (target, self, args) => {
        if (loss) throw loss;
        return Reflect.apply(target, self, args);
      },
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (loss) throw loss;
          const inner = args.at(-1);
          if (name !== 'savepoint' || typeof inner !== 'function') return Reflect.apply(value, target, args);
          const nested = (savepoint: postgres.TransactionSql) => run(inner as Work, savepoint);
          return Reflect.apply(value, target, [...args.slice(0, -1), nested]);
        };
      },
    });
  }

  const outcome = begin(options, (tx) => run(work, tx));
  outcome.catch((error: Error) => {
    // While the work goes on, only the end of its connection can reject this. Afterwards nothing reads it.
    loss = error;
    tellGone();
  });
  return outcome;
}

function nothing(): Promise<never> {
  return new Promise(() => {});
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function mayBeLoss(error: unknown): boolean {
  // Drizzle wraps the driver's error.
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof postgres.PostgresError && current.severity !== 'ERROR') return true;
    if (linkCodes.has((current as { code?: string }).code ?? '')) return true;
  }
  return false;
}
