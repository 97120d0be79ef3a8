/**
 * Items that a thread was on when it was lost. Each is run once more, alone on a thread; if that thread is lost too, the item is
 * done with.
 */
interface Suspect {
  readonly job: { readonly settled: boolean };
}

export interface Suspects<Item> {
  /** Whether the item is being run alone, or was. */
  readonly wasRunAlone: (item: Item) => boolean;
  /** Puts an item up for being run alone. */
  readonly add: (item: Item) => void;
  /** Whether an item waits to be run alone. Items whose caller has given up are dropped. */
  readonly isWaiting: () => boolean;
  /** Takes the next item to run it alone. Only while `isWaiting()`. */
  readonly take: () => Item;
}

export function createSuspects<Item extends Suspect>(): Suspects<Item> {
  const waiting: Item[] = [];
  const ranAlone = new WeakSet<Item>();
  return {
    wasRunAlone: (item) => ranAlone.has(item),
    add: (item) => void waiting.push(item),
    isWaiting: () => {
      while (waiting[0]?.job.settled) waiting.shift();
      return waiting.length > 0;
    },
    take: () => {
      const item = waiting.shift()!;
      ranAlone.add(item);
      return item;
    },
  };
}
