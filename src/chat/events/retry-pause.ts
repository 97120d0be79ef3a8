/** Waits before Postgres is asked again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A database that is away, or that refused something for now, is asked again after this. Instances spread by chance. */
export const retryPauseMs = (): number => 100 + Math.random() * 100;
