/**
 * Paces the judging of texts that grow: at most one step of a stream at a time, and one in `everyMs`. Whatever arrives
 * during a step or a pause is judged together by the next one, so the cost of a stream does not depend on its pieces.
 */
export interface StreamSteps {
  /** The stream has grown: a step follows. */
  readonly grown: (messageId: string) => void;
  /** Begins no more steps, and resolves when those under way have ended. */
  readonly stop: () => Promise<void>;
}

interface Pace {
  isWanted: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  running: Promise<void> | undefined;
}

/** @param onError called for a step that fails: what it did not judge is judged by the next one, or at the end */
export function createStreamSteps({
  step,
  everyMs,
  onError,
}: {
  readonly step: (messageId: string) => Promise<void>;
  readonly everyMs: number;
  readonly onError: (error: unknown) => void;
}): StreamSteps {
  const paces = new Map<string, Pace>();
  let stopped = false;

  function grown(messageId: string): void {
    if (stopped) return;
    const known = paces.get(messageId);
    if (known) known.isWanted = true;
    else {
      const pace: Pace = { isWanted: false, timer: undefined, running: undefined };
      paces.set(messageId, pace);
      run(messageId, pace);
    }
  }

  function run(messageId: string, pace: Pace): void {
    pace.isWanted = false;
    pace.running = step(messageId)
      .catch(onError)
      .finally(() => {
        pace.running = undefined;
        if (!stopped) pace.timer = setTimeout(() => rest(messageId, pace), everyMs);
      });
  }

  /** The pause is over. */
  function rest(messageId: string, pace: Pace): void {
    if (pace.isWanted) run(messageId, pace);
    else paces.delete(messageId);
  }

  return {
    grown,
    stop: async () => {
      stopped = true;
      for (const { timer } of paces.values()) clearTimeout(timer);
      await Promise.all([...paces.values()].map(({ running }) => running));
    },
  };
}
