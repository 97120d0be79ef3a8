/**
 * Batches the freshness checks of concurrent requests into one statement. Each part (revocations, heads of rooms, the log epoch) adds a
 * column and knows nothing of the others. See docs/internals/freshness-batch.md.
 */
import type { PendingQuery, Row } from 'postgres';
import { coalesce, gatherMs } from '../concurrency/coalesce.ts';
import type { Sql } from './connect.ts';

type Column = PendingQuery<Row[]>;

/** One column of the statement. */
export interface FreshnessCheck<Key, Value> {
  /** An expression of type `json`, or null. @param keys the keys of the calls that share this statement, each once; often none */
  readonly column: (keys: readonly Key[]) => Column;
  /** Runs before any answer of this statement is used, for example because the column shows that memory is out of date. */
  readonly before?: (value: unknown) => Promise<void> | undefined;
  /** Takes the column's value, even if no call was for this part. Does not throw. @returns the answer for a key */
  readonly take: (value: unknown, askedMs: number) => (key: Key) => Value;
}

export interface FreshnessBatch {
  /** @returns a check for a key. Its answer includes everything that was committed before the call */
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

  const look = coalesce(ask, { batchMax: callersMax, gatherMs });

  return {
    add: <Key extends string | undefined, Value>(part: FreshnessCheck<Key, Value>) => {
      const at = parts.push(part as FreshnessCheck<string | undefined, unknown>) - 1;
      return (key: Key) => look({ part: at, key }) as Promise<Value>;
    },
  };
}

/** Calls that share one statement at most, which keeps it small. */
const callersMax = 512;
