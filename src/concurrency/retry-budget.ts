/**
 * Bounds how much retrying adds to the load of a peer that fails: a share of the calls made, and a reserve for what goes wrong at once.
 * Without it, whoever has two peers of which both are slow asks each of them twice as much as when they are well.
 *
 * @see https://sre.google/sre-book/addressing-cascading-failures/ (retries)
 */
export interface RetryBudgetSettings {
  /** Retries for each call, 0 to 1. */
  readonly share: number;
  /** Retries saved up at most, and there at the start. */
  readonly reserve: number;
}

export interface RetryBudget {
  /** So many first tries were made. */
  readonly called: (count: number) => void;
  /** @returns whether so many may be tried again; then they are counted */
  readonly take: (count: number) => boolean;
}

/** A full budget. */
export function createRetryBudget({ share, reserve }: RetryBudgetSettings): RetryBudget {
  let left = reserve;
  return {
    called: (count) => {
      left = Math.min(reserve, left + count * share);
    },
    take: (count) => {
      if (count > left) return false;
      left -= count;
      return true;
    },
  };
}
