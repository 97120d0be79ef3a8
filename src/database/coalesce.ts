/** Many callers, one query: what is asked within one turn of the event loop is asked of Postgres together. */

interface Asked<Key, Value> {
  readonly key: Key;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param ask answers for the keys, in their order; called with at most `batchMax` keys
 * @param batchMax keys of one query
 * @param atOnceMax queries on their way at once; what is asked meanwhile goes together with the next one
 * @returns a function for one key; callers of one turn share a query, and a failure of it is a failure for each
 */
export function coalesce<Key, Value>(
  ask: (keys: readonly Key[]) => Promise<readonly Value[]>,
  batchMax: number,
  atOnceMax = Number.POSITIVE_INFINITY,
): ((key: Key) => Promise<Value>) & { readonly waiting: () => number } {
  const waiting: Asked<Key, Value>[] = [];
  let running = 0;
  let planned = false;

  async function run(batch: readonly Asked<Key, Value>[]): Promise<void> {
    try {
      const values = await ask(batch.map(({ key }) => key));
      for (const [index, { resolve }] of batch.entries()) resolve(values[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    const wasFull = running >= atOnceMax;
    running -= 1;
    if (wasFull) flush();
  }

  function flush(): void {
    while (waiting.length > 0 && running < atOnceMax) {
      running += 1;
      void run(waiting.splice(0, batchMax));
    }
  }

  function plan(): void {
    if (planned) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      flush();
    });
  }

  const one = (key: Key) =>
    new Promise<Value>((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      plan();
    });
  return Object.assign(one, { waiting: () => waiting.length });
}
