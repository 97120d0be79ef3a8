/** Learns on a thread of its own, made when there is something to learn: neither the main loop nor a judging thread waits. */
import { Worker } from 'node:worker_threads';
import type { Learned } from '../spam/classifier.ts';
import type { LearnedExample } from '../spam/learner.ts';
import type { LearningAnswer, LearningBirth, LearningTask } from './learning-worker.ts';

export interface Learning {
  /**
   * The weights that the examples make, oldest example first.
   * @throws Error when the thread ended or took longer than `timeoutMs`; the next call has a new thread
   */
  readonly learn: (examples: readonly LearnedExample[], version: string) => Promise<Learned>;
  readonly stop: () => Promise<void>;
}

interface Waiting {
  readonly resolve: (learned: Learned) => void;
  readonly reject: (error: Error) => void;
}

export function createLearning(birth: LearningBirth, { timeoutMs }: { timeoutMs: number }): Learning {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let nextId = 0;

  function failAll(error: Error): void {
    worker = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }

  function start(): Worker {
    const started = new Worker(new URL('./learning-worker.ts', import.meta.url), {
      workerData: birth,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    started.on('message', (answer: LearningAnswer) => {
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('learned' in answer) asked?.resolve(answer.learned);
      else asked?.reject(new Error(answer.problem));
    });
    started.on('error', (error: Error) => failAll(error));
    started.on('exit', () => {
      if (worker === started) failAll(new Error('the learning thread ended'));
    });
    started.unref();
    return started;
  }

  return {
    learn: async (examples, version) => {
      worker ??= start();
      const id = nextId++;
      const { promise, resolve, reject } = Promise.withResolvers<Learned>();
      waiting.set(id, { resolve, reject });
      const timer = setTimeout(() => {
        const stuck = worker;
        failAll(new Error(`nothing was learned in ${timeoutMs} ms`));
        void stuck?.terminate();
      }, timeoutMs);
      worker.postMessage({ id, examples, version } satisfies LearningTask);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
      }
    },
    stop: async () => {
      const running = worker;
      failAll(new Error('the engine stops'));
      await running?.terminate();
    },
  };
}
