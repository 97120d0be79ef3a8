/** The thread that learns: what moderators said goes in, corrected weights come out, in memory that all threads share. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Learned } from '../spam/classifier.ts';
import { createLearner, type LearnedExample, type Replay } from '../spam/learner.ts';
import { readModel } from '../spam/model-file.ts';
import { createNormaliser, type Lookalikes } from '../spam/normalise.ts';

export interface LearningBirth {
  readonly model: Uint8Array;
  readonly lookalikes: Lookalikes;
  readonly replay: Replay;
}

export interface LearningTask {
  readonly id: number;
  readonly version: string;
  /** Oldest first. */
  readonly examples: readonly LearnedExample[];
}

export type LearningAnswer =
  | { readonly id: number; readonly learned: Learned }
  | { readonly id: number; readonly problem: string };

const { model, lookalikes, replay } = workerData as LearningBirth;
const learner = createLearner({ model: readModel(model), normalise: createNormaliser(lookalikes), replay });
const port = parentPort!;

port.on('message', ({ id, examples, version }: LearningTask) => {
  let answer: LearningAnswer;
  try {
    answer = { id, learned: learner.learn(examples, version) };
  } catch (error) {
    answer = { id, problem: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(answer);
});
