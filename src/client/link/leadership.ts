/**
 * One tab of all that share a name leads. By a Web Lock: the browser hands it on when the leader ends, however it ends.
 *
 * States: off → waiting (for the lock) → leading → waiting again, where another tab has seized the lock.
 */

/** The part of `navigator.locks` that is used here. */
export interface Locks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown>;
}

export interface Leadership {
  readonly isLeading: () => boolean;
  /** Waits for the lock. */
  readonly start: (name: string) => void;
  /** Takes the lock from a leader that does not answer. */
  readonly seize: () => void;
  readonly stop: () => void;
}

/** @param onChange called when this tab begins to lead, and when it was robbed of it; not by `stop` */
export function createLeadership(locks: Locks, onChange: (isLeading: boolean) => void): Leadership {
  let name = '';
  let release: (() => void) | undefined;
  let waiting: AbortController | undefined;
  /** Counts requests: what an older one tells is not heard. */
  let round = 0;

  function lead(own: number): Promise<void> {
    return new Promise((resolve) => {
      if (own !== round) {
        resolve();
        return;
      }
      release = resolve;
      onChange(true);
    });
  }

  function request(steal: boolean): void {
    round += 1;
    const own = round;
    waiting?.abort();
    waiting = new AbortController();
    // A request that steals may not be aborted: it is granted at once.
    const options = steal ? { steal } : { signal: waiting.signal };
    locks
      .request(name, options, () => lead(own))
      .catch(() => {
        if (own !== round) return;
        const wasLeading = release !== undefined;
        release = undefined;
        if (wasLeading) onChange(false);
        request(false);
      });
  }

  return {
    isLeading: () => release !== undefined,
    start: (given) => {
      name = given;
      request(false);
    },
    seize: () => {
      if (!release) request(true);
    },
    stop: () => {
      round += 1;
      waiting?.abort();
      release?.();
      release = undefined;
    },
  };
}
