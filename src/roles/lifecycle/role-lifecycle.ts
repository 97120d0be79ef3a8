/** The start options and the stop of every role. */
import type { Logger } from 'pino';
import type { Config } from '../../config/load.ts';
import type { Metrics } from '../../http/metrics.ts';
import type { Outages } from '../../logger/outages.ts';

export interface RoleContext {
  readonly config: Config;
  /** The origin of each setting that differs from its default. */
  readonly origins: ReadonlyMap<string, string>;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly metrics: Metrics;
  readonly version: string;
}

export interface RunningRole {
  /** Takes no more work and finishes what it has, until `deadlineMs` (performance.now) at the latest. */
  readonly stop: (deadlineMs: number) => Promise<void>;
}

/** Runs the steps in order. A step that fails is logged, and the next one still runs. */
export async function stopInOrder(logger: Logger, steps: readonly (readonly [string, () => unknown])[]): Promise<void> {
  for (const [name, step] of steps) {
    try {
      await step();
    } catch (error) {
      logger.warn({ error, step: name }, 'a step of the stop failed');
    }
  }
}

/** Resolves when the work is done or the deadline has passed. */
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
