/**
 * What is asked of Postgres before requests are served, by parts that know nothing of each other, as one statement for all who ask
 * at about the same time: the more requests there are, the less of it each of them costs.
 */
import type { PendingQuery, Row } from 'postgres';
import { coalesce, gatherMs } from '../concurrency/coalesce.ts';
import type { Sql } from './connect.ts';

type Column = PendingQuery<Row[]>;

/** One column of the statement. */
export interface FreshnessCheck<Key, Value> {
  /** An expression of type `json`, or null. @param keys what was asked for since the last look, each once; often none */
  readonly column: (keys: readonly Key[]) => Column;
  /** What has to happen before any answer of this look is used, e.g. because the column says that memory is out of date. */
  readonly before?: (value: unknown) => Promise<void> | undefined;
  /** Takes the column's value in, also of looks that nobody asked this part for. @returns the answer for a key. Does not throw */
  readonly take: (value: unknown, askedMs: number) => (key: Key) => Value;
}

export interface FreshnessBatch {
  /** @returns a question whose answer knows of everything that was committed before it was asked */
  readonly add: <Key extends string | undefined, Value>(
    part: FreshnessCheck<Key, Value>,
  ) => (key: Key) => Promise<Value>;
}

interface Asked {
  readonly part: number;
  readonly key: string | undefined;
}

export function createFreshnessBatch(sql: Sql): FreshnessBatch {
  const parts: FreshnessCheck<string | undefined, unknown>[] = [];

  async function ask(asked: readonly Asked[]): Promise<unknown[]> {
    const keys = parts.map(() => new Set<string | undefined>());
    for (const { part, key } of asked) keys[part]!.add(key);
    const columns = parts.map(({ column }, part) => column([...keys[part]!]));
    const askedMs = performance.now();
    const [row] = await sql<
      Row[]
    >`select ${columns.map((column, part) => sql`${part === 0 ? sql`` : sql`, `}${column} as ${sql(`part_${part}`)}`)}`;
    for (const [part, { before }] of parts.entries()) {
      const first = before?.(row![`part_${part}`]);
      if (first) await first;
    }
    const answers = parts.map(({ take }, part) => take(row![`part_${part}`], askedMs));
    return asked.map(({ part, key }) => answers[part]!(key));
  }

  const look = coalesce(ask, { batchMax: askersMax, gatherMs });

  return {
    add: <Key extends string | undefined, Value>(part: FreshnessCheck<Key, Value>) => {
      const at = parts.push(part as FreshnessCheck<string | undefined, unknown>) - 1;
      return (key: Key) => look({ part: at, key }) as Promise<Value>;
    },
  };
}

/** Who shares one look: keeps its statement small. */
const askersMax = 512;
