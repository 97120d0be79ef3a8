/** The learning thread: takes moderators' decisions and returns corrected weights in memory that all threads share. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Learned } from '../../spam/classifier/classifier.ts';
import { createLearner, type Replay } from '../../spam/classifier/learner.ts';
import { readModel } from '../../spam/classifier/model-file.ts';
import type { TermLists } from '../../spam/terms/term-lists.ts';
import { createTermMatcher } from '../../spam/terms/terms.ts';
import { createNormaliser, type Lookalikes } from '../../spam/text/normalise.ts';
import type { LearnedToxicity } from '../../spam/toxicity/toxicity.ts';
import { readToxicityModel } from '../../spam/toxicity/toxicity-file.ts';
import {
  createToxicityLearner,
  type OffenceExample,
  type ToxicityLearner,
} from '../../spam/toxicity/toxicity-learner.ts';
import type { ReadExamples } from './learned-examples.ts';

export interface LearningBirth {
  readonly model: Uint8Array;
  readonly toxicity: Uint8Array;
  readonly lookalikes: Lookalikes;
  readonly terms: TermLists;
  readonly replay: Replay;
}

/** Prepares the learners, so that the first label is learned as fast as later ones. */
export interface LearningWarmUp {
  readonly kind: 'warm up';
}

export interface LearningTask {
  readonly kind: 'learn';
  readonly id: number;
  readonly version: string;
  readonly examples: ReadExamples;
}

/** A kind without examples leaves the shipped weights unchanged. */
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
/** Created with the first example of its kind or before, because it takes as long as learning a few dozen labels. */
let manners: ToxicityLearner | undefined;
const port = parentPort!;
/** After so many rounds of so many texts the code is compiled. The results are thrown away. */
const warmUpRounds = 3;
const warmUpTexts = 12;

function learnManners(examples: readonly OffenceExample[], version: string): LearnedToxicity {
  manners ??= createToxicityLearner({
    model: readToxicityModel(toxicity),
    normalise,
    terms: createTermMatcher(terms, normalise),
    replay,
  });
  return manners.learn(examples, version);
}

function learn({ spam, offence }: ReadExamples, version: string): Taught {
  return {
    spam: spam.length === 0 ? undefined : learner.learn(spam, version),
    toxicity: offence.length === 0 ? undefined : learnManners(offence, version),
  };
}

function warmUp(): void {
  const texts = replay.measured.slice(0, warmUpTexts);
  for (let round = 0; round < warmUpRounds; round++)
    learn(
      {
        spam: texts.map((text, at) => ({ text, spam: at % 2 === 0, moderatorId: 'warm' })),
        offence: texts.map((text, at) => ({ text, offensive: at % 2 === 0, moderatorId: 'warm' })),
      },
      'warm',
    );
}

port.on('message', (message: LearningTask | LearningWarmUp) => {
  if (message.kind === 'warm up') {
    warmUp();
    return;
  }
  const { id, examples, version } = message;
  let answer: LearningAnswer;
  try {
    answer = { id, taught: learn(examples, version) };
  } catch (error) {
    answer = { id, problem: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(answer);
});
