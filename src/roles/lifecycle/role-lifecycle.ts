/** What every role is to main.ts. */
import type { Logger } from 'pino';
import type { Config } from '../../config/load.ts';
import type { Metrics } from '../../http/metrics.ts';
import type { Outages } from '../../logger/outages.ts';

export interface RoleContext {
  readonly config: Config;
  /** Where each setting comes from that has not its default. */
  readonly origins: ReadonlyMap<string, string>;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly metrics: Metrics;
  readonly version: string;
}

export interface RunningRole {
  /** Stops taking work, finishes what was taken, at the latest when `deadlineMs` (performance.now) has come. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

/** Runs steps in order, each even if an earlier one failed; what failed is logged. */
export async function stopInOrder(logger: Logger, steps: readonly (readonly [string, () => unknown])[]): Promise<void> {
  for (const [name, step] of steps) {
    try {
      await step();
    } catch (error) {
      logger.warn({ error, step: name }, 'stopping went wrong');
    }
  }
}

/** Resolves with the work or at the deadline, whichever comes first. */
export async function atMostUntil(deadlineMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
