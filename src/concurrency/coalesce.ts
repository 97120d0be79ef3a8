/** Many callers, one query: what is asked within one turn of the event loop is asked of Postgres together. */

interface Asked<Key, Value> {
  readonly key: Key;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

export interface CoalesceBounds {
  /** Keys of one query. */
  readonly batchMax: number;
  /** Queries on their way at once; what is asked meanwhile goes together with the next one. Default: no bound. */
  readonly atOnceMax?: number;
  /**
   * Milliseconds for which what is asked gathers while a query is on its way: the busier, the more of them share one. A query that
   * takes longer holds nobody up for more than this. Default 0: a query for every turn.
   */
  readonly gatherMs?: number;
}

/** For questions that every request asks: longer than a good query takes, and shorter than anybody notices. */
export const gatherMs = 20;

export interface Coalesced<Key, Value> {
  (key: Key): Promise<Value>;
  readonly waiting: () => number;
}

/**
 * @param ask answers for the keys, in their order; it is called after all of them were asked, so it sees what was committed before
 * @returns a function for one key; a failure of a query is a failure for each who shares it
 */
export function coalesce<Key, Value>(
  ask: (keys: readonly Key[]) => Promise<readonly Value[]>,
  { batchMax, atOnceMax = Number.POSITIVE_INFINITY, gatherMs: gather = 0 }: CoalesceBounds,
): Coalesced<Key, Value> {
  const waiting: Asked<Key, Value>[] = [];
  let running = 0;
  let begunMs = 0;
  let planned = false;
  let patience: NodeJS.Timeout | undefined;

  async function run(batch: readonly Asked<Key, Value>[]): Promise<void> {
    try {
      const values = await ask(batch.map(({ key }) => key));
      for (const [index, { resolve }] of batch.entries()) resolve(values[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    running -= 1;
    // Whoever was just answered may ask again: a turn later more of them share the next query.
    if (waiting.length > 0) setImmediate(plan);
  }

  function flush(): void {
    clearTimeout(patience);
    patience = undefined;
    begunMs = performance.now();
    while (waiting.length > 0 && running < atOnceMax) {
      running += 1;
      void run(waiting.splice(0, batchMax));
    }
  }

  function flushIfDue(): void {
    planned = false;
    if (waiting.length === 0 || running >= atOnceMax) return;
    const leftMs = running === 0 ? 0 : begunMs + gather - performance.now();
    if (leftMs <= 0) flush();
    else patience ??= setTimeout(flush, Math.ceil(leftMs));
  }

  function plan(): void {
    if (planned) return;
    planned = true;
    setImmediate(flushIfDue);
  }

  const one = (key: Key) =>
    new Promise<Value>((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      plan();
    });
  return Object.assign(one, { waiting: () => waiting.length });
}
