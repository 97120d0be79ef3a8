/** Many callers, one query: calls within one tick of the event loop share a query. */

interface Asked<Key, Value> {
  readonly key: Key;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

export interface CoalesceBounds {
  /** Keys of one query. */
  readonly batchMax: number;
  /** Queries under way at once. Further calls share the next one. Default: no bound. */
  readonly atOnceMax?: number;
  /**
   * How long calls gather while a query is under way, in milliseconds: the busier the process, the more calls share a query. After this
   * time the next query starts beside a slow one. Default 0: a query for every tick.
   */
  readonly gatherMs?: number;
}

/** `gatherMs` for queries that every request needs: longer than a normal query takes, too short to notice. */
export const gatherMs = 20;

export interface Coalesced<Key, Value> {
  (key: Key): Promise<Value>;
  readonly waiting: () => number;
}

/**
 * @param ask returns the values for the keys, in their order. It is called after all calls for these keys, so it sees what was committed
 *   before them
 * @returns a function for one key. If a query fails, every call that shares it fails
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
    // The callers that were just answered may call again: one tick later more of them share the next query.
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
