/**
 * Bounds the load that retries add to a failing service: a share of the calls made, and a reserve for bursts of failures. Without it, two
 * slow instances would each get twice as many calls as two healthy ones.
 *
 * @see https://sre.google/sre-book/addressing-cascading-failures/ (retries)
 */
export interface RetryBudgetSettings {
  /** Retries for each call, 0 to 1. */
  readonly share: number;
  /** Retries that can be saved up, and that are available at the start. */
  readonly reserve: number;
}

export interface RetryBudget {
  /** Counts first tries. */
  readonly called: (count: number) => void;
  /** Takes `count` retries from the budget. @returns false if it does not hold that many; then nothing is taken */
  readonly take: (count: number) => boolean;
}

/** @returns a full budget */
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
