/** Learns on a thread of its own, so that neither the main thread nor a judging thread waits. */
import { Worker } from 'node:worker_threads';
import type { ReadExamples } from './learned-examples.ts';
import type { LearningAnswer, LearningBirth, LearningTask, LearningWarmUp, Taught } from './learning-worker.ts';

export interface Learning {
  /**
   * Computes the weights from the examples.
   * @throws Error if the thread ended or took longer than `timeoutMs`; the next call starts a new thread
   */
  readonly learn: (examples: ReadExamples, version: string) => Promise<Taught>;
  /** Starts the thread before there is anything to learn. It takes half a second of a core, which the first label then need not wait for. */
  readonly warmUp: () => void;
  readonly stop: () => Promise<void>;
}

interface Waiting {
  readonly resolve: (taught: Taught) => void;
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
      if ('taught' in answer) asked?.resolve(answer.taught);
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
      const { promise, resolve, reject } = Promise.withResolvers<Taught>();
      waiting.set(id, { resolve, reject });
      const timer = setTimeout(() => {
        const stuck = worker;
        failAll(new Error(`nothing was learned in ${timeoutMs} ms`));
        void stuck?.terminate();
      }, timeoutMs);
      worker.postMessage({ kind: 'learn', id, examples, version } satisfies LearningTask);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
      }
    },
    warmUp: () => {
      // A thread that has learned before is warm.
      if (worker) return;
      worker = start();
      worker.postMessage({ kind: 'warm up' } satisfies LearningWarmUp);
    },
    stop: async () => {
      const running = worker;
      failAll(new Error('the engine stops'));
      await running?.terminate();
    },
  };
}
