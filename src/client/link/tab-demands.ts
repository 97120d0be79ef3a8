/** Merges the wishes of several tabs into the one answer that their connection can have: the watched users, and whether the user is active. */

type Frame = Readonly<Record<string, unknown>>;

/** The server's bound. */
const watchedMax = 500;
/** The status of a device whose tabs say different things: the first one that a tab says. */
const statusOrder = ['dnd', 'online', 'away'];

interface Demand {
  readonly userIds?: readonly string[];
  readonly status?: string;
}

export class TabDemands {
  readonly #demands = new Map<string, Demand>();

  /** A connection begins: it watches nobody. */
  clear(): void {
    this.#demands.clear();
  }

  forget(tab: string): void {
    this.#demands.delete(tab);
  }

  /** @returns the frame with what all tabs want; other frames as they are */
  merge(tab: string, frame: Frame): Frame {
    if (frame.type === 'presence.watch') {
      this.#change(tab, { userIds: frame.userIds as readonly string[] });
      // The newest demand first, so that it is not the one that is cut off.
      const all = [...this.#demands.values()].reverse().flatMap(({ userIds = [] }) => userIds);
      return { ...frame, userIds: [...new Set(all)].slice(0, watchedMax) };
    }
    if (frame.type === 'presence') {
      this.#change(tab, { status: String(frame.status) });
      const statuses = new Set([...this.#demands.values()].map(({ status }) => status));
      return { ...frame, status: statusOrder.find((each) => statuses.has(each)) ?? frame.status };
    }
    return frame;
  }

  #change(tab: string, change: Demand): void {
    const demand = { ...this.#demands.get(tab), ...change };
    this.#demands.delete(tab);
    this.#demands.set(tab, demand);
  }
}
