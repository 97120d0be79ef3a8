/** Answers every frame in time: work that takes longer than `answerTimeout` is answered without its outcome. */
import type { ClientFrame } from '../socket/frame-codec.ts';
import type { FrameHandler } from './frame-handlers.ts';

/** A frame on its way to its answer. */
export interface FrameWork {
  readonly handler: FrameHandler;
  readonly frame: ClientFrame;
  /** By the monotonic clock. */
  readonly startedMs: number;
  /** Answers in place of the work. Work that has begun may still succeed. */
  readonly giveUp: () => void;
  begun: boolean;
}

export interface FrameDeadlines {
  readonly add: (work: FrameWork) => void;
  /** Ends the wait for an answer. @returns false when the frame was answered already */
  readonly end: (work: FrameWork) => boolean;
  readonly isWaiting: (work: FrameWork) => boolean;
  /** Frames that are not answered yet, over all sockets. */
  readonly count: () => number;
  readonly stop: () => void;
}

const checkEveryMs = 250;

export function startFrameDeadlines(answerTimeoutMs: number): FrameDeadlines {
  /** Oldest first, since all have the same time. */
  const unanswered = new Set<FrameWork>();

  const timer = setInterval(() => {
    const beforeMs = performance.now() - answerTimeoutMs;
    for (const work of unanswered) {
      if (work.startedMs > beforeMs) break;
      unanswered.delete(work);
      work.giveUp();
    }
  }, checkEveryMs);

  return {
    add: (work) => void unanswered.add(work),
    end: (work) => unanswered.delete(work),
    isWaiting: (work) => unanswered.has(work),
    count: () => unanswered.size,
    stop: () => clearInterval(timer),
  };
}
