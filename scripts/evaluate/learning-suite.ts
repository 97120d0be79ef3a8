/**
 * Learning on a source the model has never seen: after 0, 10, 50 and 200 moderators' labels what is caught of the rest of
 * it, what is flagged of ordinary chat, and what is still caught of the spam of old. And a moderator who lies.
 */
import { createClassifier, type Learned, type Model } from '../../src/spam/classifier/classifier.ts';
import { createExtractor } from '../../src/spam/classifier/features.ts';
import { createLearner, type LearnedExample, type Replay } from '../../src/spam/classifier/learner.ts';
import { type RealDomain, readDomain } from '../training/corpus.ts';
import { createRandom, shuffle } from '../training/random.ts';
import { leaveOut } from './left-out.ts';
import { areaUnderCurve, shareAtLeast, thresholdAt } from './measures.ts';
import { readJson, rows, shipped } from './shipped.ts';
import { count, milliseconds, type Row, type Suite, share } from './suite.ts';

const flagThreshold = 0.8;
const others = {
  sms: ['telegram', 'mail'],
  telegram: ['sms', 'mail'],
  mail: ['sms', 'telegram'],
  comments: ['sms', 'telegram', 'mail'],
} as const;

function scorerOf(model: Model, learned: Learned | undefined): (text: string) => number {
  const { normalise } = shipped();
  const classifier = createClassifier(model, learned, createExtractor(model.lexicon));
  return (text) => classifier.score(normalise(text), text);
}

function curve(domain: keyof typeof others): Row[] {
  const { normalise } = shipped();
  const { model, unseen } = leaveOut(domain);
  const replay = readJson<Replay>('artefacts/replay.json');
  // Nothing of the source may be replayed either.
  const own = new Set(unseen.map(({ text }) => text));
  const learner = createLearner({
    model,
    normalise,
    replay: { ...replay, spam: replay.spam.filter((text) => !own.has(text)) },
  });
  const chat = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
  const old = others[domain].flatMap((each) => readDomain(each as RealDomain, 'dev')).filter(({ spam }) => spam);
  const random = createRandom(31);
  const spam = shuffle(
    unseen.filter((each) => each.spam),
    random,
  );
  const ham = shuffle(
    unseen.filter((each) => !each.spam),
    random,
  );
  return [0, 10, 50, 200].map((labels) => {
    const examples = Array.from({ length: labels }, (_, at): LearnedExample => {
      const { text, spam: label } = (at % 2 === 0 ? spam : ham)[Math.floor(at / 2) % ham.length]!;
      return { text, spam: label, moderatorId: `m${at % 3}` };
    });
    const startedMs = performance.now();
    const learned = learner.learn(examples, `${labels}`);
    const tookMs = performance.now() - startedMs;
    const score = scorerOf(model, labels === 0 ? undefined : learned);
    const spamScores = spam.slice(100).map(({ text }) => score(text));
    const hamScores = ham.slice(Math.min(100, ham.length / 2)).map(({ text }) => score(text));
    const chatScores = chat.map(score);
    const oldScores = old.map(({ text }) => score(text));
    return {
      name: `${domain}, ${labels} labels`,
      figures: {
        AUC: share(
          areaUnderCurve(spamScores, hamScores),
          labels === 50 ? { goal: 0.97 } : labels === 200 ? { goal: 0.985 } : {},
        ),
        'R@0.1%chat': share(
          shareAtLeast(spamScores, thresholdAt(chatScores, 0.001)),
          labels === 50 ? { goal: 0.8 } : labels === 200 ? { goal: 0.88 } : {},
        ),
        flagged: share(shareAtLeast(spamScores, flagThreshold)),
        'ham flagged': share(shareAtLeast(hamScores, flagThreshold)),
        'chat flagged': share(shareAtLeast(chatScores, flagThreshold), { most: 0.001 }),
        'old recall': share(shareAtLeast(oldScores, flagThreshold)),
        took: milliseconds(tookMs),
      },
    };
  });
}

/** One of four moderators calls ordinary lines spam; the others go on as before. */
function poisoning(): Row[] {
  const { normalise, model } = shipped();
  const learner = createLearner({ model, normalise, replay: readJson<Replay>('artefacts/replay.json') });
  const chat = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
  const spam = (['sms', 'telegram'] as const)
    .flatMap((domain) => readDomain(domain, 'dev'))
    .filter((each) => each.spam);
  const others = spam.filter((_, at) => at % 2 === 1);
  const target = chat.filter((text) => text.length > 30).slice(0, 400);
  const lies = target.slice(0, 200).map((text): LearnedExample => ({ text, spam: true, moderatorId: 'liar' }));
  // What a liar said of a text itself counts as long as nobody else spoke of it; what counts here is all other spam.
  const denials = spam
    .filter((_, at) => at % 2 === 0)
    .map(({ text }): LearnedExample => ({ text, spam: false, moderatorId: 'liar' }));
  const honest = Array.from({ length: 60 }, (_, at): LearnedExample => {
    const text =
      at % 2 === 0 ? chat[3000 + at]! : (readDomain('sms', 'train').filter((each) => each.spam)[at]?.text ?? '');
    return { text, spam: at % 2 === 1, moderatorId: `m${at % 3}` };
  });
  const measure = (name: string, examples: readonly LearnedExample[], bounded: boolean): Row => {
    const score = scorerOf(model, learner.learn(examples, name));
    return {
      name,
      figures: {
        labels: count(examples.length),
        'chat flagged': share(shareAtLeast(chat.slice(400).map(score), flagThreshold), bounded ? { most: 0.001 } : {}),
        'other spam flagged': share(
          shareAtLeast(
            others.map(({ text }) => score(text)),
            flagThreshold,
          ),
        ),
      },
    };
  };
  return [
    measure('honest labels alone', honest, true),
    measure('and 200 ordinary lines called spam by one', [...honest, ...lies], true),
    measure(`and ${denials.length} spams called ham by one`, [...honest, ...denials], true),
    measure('taken back', honest, true),
  ];
}

export const learningSuite: Suite = {
  name: 'learning',
  title: 'Learning from labels on an unseen source: recall, false alarms, known spam, and a lying moderator',
  quick: false,
  run: () => [...(['comments', 'sms', 'telegram', 'mail'] as const).flatMap(curve), ...poisoning()],
};
