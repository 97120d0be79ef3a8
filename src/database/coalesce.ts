/** Many callers, one query: what is asked within one turn of the event loop is asked of Postgres together. */

interface Asked<Key, Value> {
  readonly key: Key;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param ask answers for the keys, in their order; called with at most `batchMax` keys
 * @param batchMax keys of one query
 * @returns a function for one key; callers of one turn share a query, and a failure of it is a failure for each
 */
export function coalesce<Key, Value>(
  ask: (keys: readonly Key[]) => Promise<readonly Value[]>,
  batchMax: number,
): (key: Key) => Promise<Value> {
  let waiting: Asked<Key, Value>[] = [];

  async function run(batch: readonly Asked<Key, Value>[]): Promise<void> {
    try {
      const values = await ask(batch.map(({ key }) => key));
      for (const [index, { resolve }] of batch.entries()) resolve(values[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function flush(): void {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += batchMax) void run(all.slice(at, at + batchMax));
  }

  return (key) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ key, resolve, reject });
    });
}
