/** Controls a crowd of clients in another process. */
import type { ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { CrowdOrder, CrowdReport } from './crowd.ts';
import { clientCore, startPinned, stop, whenGone } from './measure.ts';

export interface Crowd {
  /** Resolves with the report for this order. Several orders of different kinds may be open at once. */
  readonly order: (order: CrowdOrder) => Promise<CrowdReport>;
  readonly stop: () => Promise<void>;
}

/** @param yields this crowd only reads: it leaves the core to the process that measures latency */
export function startCrowd({ core = clientCore, yields = false }: { core?: string; yields?: boolean } = {}): Crowd {
  const child: ChildProcess = startPinned(core, fileURLToPath(new URL('./crowd.ts', import.meta.url)), { ipc: true });
  if (yields) setPriority(child.pid!, constants.priority.PRIORITY_LOW);
  const waiting = new Map<CrowdReport['done'], (report: CrowdReport) => void>();
  child.on('message', (report: CrowdReport) => waiting.get(report.done)?.(report));
  const gone = whenGone(child, 'the crowd');
  return {
    order: (order) => {
      const done = new Promise<CrowdReport>((resolve) => waiting.set(order.do, resolve));
      // Nothing is sent to a process that has ended; the race below reports it.
      child.send(order, () => {});
      return Promise.race([done, gone]);
    },
    stop: () => stop(child),
  };
}
