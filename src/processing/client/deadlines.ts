/** Watches deadlines with one timer. Entries must be added in the order of their deadlines. */

export interface Deadlines<Entry> {
  readonly add: (entry: Entry) => void;
  readonly delete: (entry: Entry) => void;
  readonly all: () => Iterable<Entry>;
  readonly stop: () => void;
}

/** If a timer is this late, the event loop was busy. */
const lagMinMs = 20;
/** After a busy time, the event loop reads what had arrived within this time. */
const lagMaxMs = 500;

/**
 * @param dueMs when an entry is due, by `performance.now()`
 * @param onDue called with entries that are due, which are no longer watched
 */
export function createDeadlines<Entry>(
  dueMs: (entry: Entry) => number,
  onDue: (entries: readonly Entry[]) => void,
): Deadlines<Entry> {
  const watched = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;

  function watch(): void {
    if (timer !== undefined || watched.size === 0) return;
    const [oldest] = watched;
    const atMs = dueMs(oldest!);
    // Never negative, even if the loop was busy: Node warns of negative times.
    timer = setTimeout(() => look(atMs), Math.max(0, atMs - performance.now()));
  }

  function look(atMs: number): void {
    const nowMs = performance.now();
    const lagMs = Math.min(nowMs - atMs, lagMaxMs);
    // After a busy time, timers run before answers that have arrived are read. Wait for them before entries expire.
    if (lagMs > lagMinMs) timer = setTimeout(() => end(nowMs), lagMs);
    else end(nowMs);
  }

  function end(nowMs: number): void {
    timer = undefined;
    const due: Entry[] = [];
    for (const entry of watched) {
      if (dueMs(entry) > nowMs) break;
      due.push(entry);
    }
    for (const entry of due) watched.delete(entry);
    if (due.length > 0) onDue(due);
    watch();
  }

  return {
    add: (entry) => {
      watched.add(entry);
      watch();
    },
    delete: (entry) => void watched.delete(entry),
    all: () => watched,
    stop: () => clearTimeout(timer),
  };
}
