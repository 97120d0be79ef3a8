/** Looks at something one at a time, however many ask for it. */
export interface SingleFlight {
  /** Looks, unless a look is under way. */
  readonly ifIdle: () => void;
  /** Looks from now on: a look that is under way may have come too early, so another follows it. */
  readonly surely: () => void;
  readonly stop: () => void;
}

/** @param onError a look that fails is over; the next one is somebody else's wish */
export function createSingleFlight(work: () => Promise<void>, onError: (error: unknown) => void): SingleFlight {
  let looking = false;
  let again = false;
  let stopped = false;

  async function look(): Promise<void> {
    if (looking || stopped) return;
    looking = true;
    again = false;
    try {
      await work();
    } catch (error) {
      onError(error);
    } finally {
      looking = false;
      if (again) void look();
    }
  }

  return {
    ifIdle: () => void look(),
    surely: () => {
      again = true;
      void look();
    },
    stop: () => {
      stopped = true;
    },
  };
}
