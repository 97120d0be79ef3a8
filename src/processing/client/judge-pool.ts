/** The judges of a client, which are processing instances or the engine of this process, with the pace of each. */
import type { ProcessingInstance } from './processing-instance.ts';
import { createSendPace, type SendPace } from './send-pace.ts';

/** A processing instance, or the engine of this process. */
export type JudgeRef = ProcessingInstance | 'local';

export interface JudgePoolSettings {
  readonly timeoutMs: number;
  readonly batchMax: number;
  readonly inFlightMax: number;
}

export interface JudgePool {
  /** Judges that may be asked now: the instances whose breaker is closed; without any, the local engine if there is one. */
  readonly available: () => JudgeRef[];
  /** The available instance with room and the fewest batches in flight; equals take turns. */
  readonly pick: (except?: ProcessingInstance) => ProcessingInstance | undefined;
  /** Drafts that a judge may be given now. */
  readonly room: (judge: JudgeRef) => number;
  /** Drafts per millisecond that the available judges are believed to handle together. */
  readonly perMs: () => number;
  /** Runs `work` for `count` drafts and adjusts the judge's pace to the time it took. */
  readonly paced: <Result>(
    judge: JudgeRef,
    count: number,
    work: () => Promise<Result>,
    isFailure: (result: Result) => boolean,
  ) => Promise<Result>;
}

/** A batch should be answered in this share of the deadline, which leaves time for what is unusual. */
const targetShare = 0.25;
const windowStart = 64;
const windowMin = 16;

export function createJudgePool(
  instances: readonly ProcessingInstance[],
  hasLocal: boolean,
  { timeoutMs, batchMax, inFlightMax }: JudgePoolSettings,
): JudgePool {
  const paces = new Map<JudgeRef, SendPace>();
  let turn = 0;

  function paceOf(judge: JudgeRef): SendPace {
    const known = paces.get(judge);
    if (known) return known;
    const pace = createSendPace({
      targetMs: timeoutMs * targetShare,
      windowStart,
      windowMin: Math.min(windowMin, batchMax),
      windowMax: inFlightMax * batchMax,
    });
    paces.set(judge, pace);
    return pace;
  }

  function available(): JudgeRef[] {
    const answering = instances.filter((instance) => instance.breaker.state() === 'closed');
    return answering.length === 0 && hasLocal ? ['local'] : answering;
  }

  function pick(except?: ProcessingInstance): ProcessingInstance | undefined {
    turn++;
    let best: ProcessingInstance | undefined;
    for (let offset = 0; offset < instances.length; offset++) {
      const instance = instances[(turn + offset) % instances.length]!;
      if (instance === except || instance.breaker.state() !== 'closed') continue;
      if (instance.inFlight() >= inFlightMax || paceOf(instance).room() === 0) continue;
      if (!best || instance.inFlight() < best.inFlight()) best = instance;
    }
    return best;
  }

  return {
    available,
    pick,
    room: (judge) => paceOf(judge).room(),
    perMs: () => available().reduce((sum, judge) => sum + paceOf(judge).perMs(), 0),
    paced: async (judge, count, work, isFailure) => {
      const pace = paceOf(judge);
      const givenAtMs = performance.now();
      pace.given(count);
      const result = await work();
      pace.finished(count, performance.now() - givenAtMs, isFailure(result));
      return result;
    },
  };
}
