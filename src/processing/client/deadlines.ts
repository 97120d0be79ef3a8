/** Watches deadlines that come in the order in which they were added, with one timer for all of them. */

export interface Deadlines<Entry> {
  readonly add: (entry: Entry) => void;
  readonly delete: (entry: Entry) => void;
  readonly all: () => Iterable<Entry>;
  readonly stop: () => void;
}

/** A timer that is this late tells of a busy loop. */
const lagMinMs = 20;
/** What the network and the threads have sent is read within this time of a busy loop's end. */
const lagMaxMs = 500;

/**
 * @param dueMs when an entry is due, by `performance.now()`
 * @param onDue told of entries that are due; they are no longer watched
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
    // A busy loop may come here late: Node warns of a negative time.
    timer = setTimeout(() => look(atMs), Math.max(0, atMs - performance.now()));
  }

  function look(atMs: number): void {
    const nowMs = performance.now();
    const lagMs = Math.min(nowMs - atMs, lagMaxMs);
    // Timers run before the loop reads what came while it was busy: what is due may have been answered.
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
