/** The thread that learns: what moderators said goes in, corrected weights come out, in memory that all threads share. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Learned } from '../spam/classifier.ts';
import { createLearner, type Replay } from '../spam/learner.ts';
import { readModel } from '../spam/model-file.ts';
import { createNormaliser, type Lookalikes } from '../spam/normalise.ts';
import type { TermLists } from '../spam/term-lists.ts';
import { createTermMatcher } from '../spam/terms.ts';
import type { LearnedToxicity } from '../spam/toxicity.ts';
import { readToxicityModel } from '../spam/toxicity-file.ts';
import { createToxicityLearner, type ToxicityLearner } from '../spam/toxicity-learner.ts';
import type { ReadExamples } from './learned-examples.ts';

export interface LearningBirth {
  readonly model: Uint8Array;
  readonly toxicity: Uint8Array;
  readonly lookalikes: Lookalikes;
  readonly terms: TermLists;
  readonly replay: Replay;
}

export interface LearningTask {
  readonly id: number;
  readonly version: string;
  readonly examples: ReadExamples;
}

/** Of a kind without examples nothing is learned. */
export interface Taught {
  readonly spam: Learned | undefined;
  readonly toxicity: LearnedToxicity | undefined;
}

export type LearningAnswer =
  | { readonly id: number; readonly taught: Taught }
  | { readonly id: number; readonly problem: string };

const { model, toxicity, lookalikes, terms, replay } = workerData as LearningBirth;
const normalise = createNormaliser(lookalikes);
const learner = createLearner({ model: readModel(model), normalise, replay });
/** Made when the first such example comes: most deployments have none. */
let manners: ToxicityLearner | undefined;
const port = parentPort!;

function learn({ spam, offence }: ReadExamples, version: string): Taught {
  if (offence.length > 0)
    manners ??= createToxicityLearner({
      model: readToxicityModel(toxicity),
      normalise,
      terms: createTermMatcher(terms, normalise),
      replay,
    });
  return {
    spam: spam.length === 0 ? undefined : learner.learn(spam, version),
    toxicity: offence.length === 0 ? undefined : manners?.learn(offence, version),
  };
}

port.on('message', ({ id, examples, version }: LearningTask) => {
  let answer: LearningAnswer;
  try {
    answer = { id, taught: learn(examples, version) };
  } catch (error) {
    answer = { id, problem: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(answer);
});
