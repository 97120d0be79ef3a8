/** Stops a Parley with SIGSTOP for at least so long, as a suspended machine or a starved container does. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ParleyProcess } from './parley-process.ts';

export interface ProcessPause {
  /** Continues the process, after the rest of the time. */
  readonly end: () => Promise<void>;
}

/** @param ms longer than the setting after which the process must notice that it stood still */
export function pauseProcess(parley: ParleyProcess, ms: number): ProcessPause {
  parley.signal('SIGSTOP');
  const over = sleep(ms);
  return {
    end: async () => {
      await over;
      parley.signal('SIGCONT');
    },
  };
}
