/** Waits before Postgres is asked again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The pause before a statement is repeated. Random, so that instances do not repeat at the same moment. */
export const retryPauseMs = (): number => 100 + Math.random() * 100;
