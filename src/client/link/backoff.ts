/** How long to wait before trying again: exponential from half a second to half a minute, with full jitter. */

const firstMs = 500;
const longestMs = 30_000;

/** @param attempt 0 for the first repetition; @param askedMs the pause that the server asked for: the minimum */
export function backoffMs(attempt: number, askedMs = 0, random: () => number = Math.random): number {
  const bound = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 10));
  return askedMs + Math.round(random() * bound);
}
