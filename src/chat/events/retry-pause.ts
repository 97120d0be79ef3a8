import { setTimeout as pause } from 'node:timers/promises';

/** The pause before a statement is repeated, in milliseconds. Random, so that instances do not repeat at the same moment. */
export const retryPauseMs = (): number => 100 + Math.random() * 100;

/** Waits before Postgres is asked again. */
export const pauseBeforeRetry = (): Promise<void> => pause(retryPauseMs());
