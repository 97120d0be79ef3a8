/** A source never seen: the model is trained without one and tried on all of it; the shipped model is never the one that is tried. */
import { createClassifier } from '../../src/spam/classifier/classifier.ts';
import { readDomain, writeComments } from '../training/corpus.ts';
import { trainBayes } from './bayes.ts';
import { leaveOut } from './left-out.ts';
import { areaUnderCurve, shareAtLeast, thresholdAt } from './measures.ts';
import { rows, shipped } from './shipped.ts';
import { type Row, type Suite, share } from './suite.ts';

const domains = ['sms', 'telegram', 'mail', 'comments'] as const;

/** What a flag costs in a room that was not trained on: all ordinary chat left out of the training. */
function unseenRoom(): Row {
  const { model, unseen } = leaveOut('irc');
  const { normalise } = shipped();
  // The threshold of a deployment that has no chat to set it on would be that of other ham.
  const classifier = createClassifier(model);
  const tweets = readDomain('tweets', 'dev').map(({ text }) => classifier.score(normalise(text), text));
  const threshold = Math.max(0.8, thresholdAt(tweets, 0.0005));
  const scores = unseen.map(({ text }) => classifier.score(normalise(text), text));
  return {
    name: 'a room never seen (irc)',
    figures: { flagged: share(shareAtLeast(scores, threshold), { goal: 0.001, most: 0.01 }) },
  };
}

export const unseenSuite: Suite = {
  name: 'unseen',
  title: 'Sources left out of the training, compared with naive Bayes',
  quick: false,
  run: () => {
    const { normalise } = shipped();
    const chat = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
    const all = [
      ...(['sms', 'telegram', 'mail', 'irc', 'tweets'] as const).flatMap((each) => readDomain(each, 'train')),
      ...writeComments(60, 5),
    ];
    const found = domains.map((domain): Row => {
      const { model, unseen } = leaveOut(domain);
      const classifier = createClassifier(model);
      const bayes = trainBayes(all.filter((each) => each.domain !== domain));
      const figures = (scoreOf: (text: string) => number): [number, number] => {
        const spam = unseen.filter((each) => each.spam).map(({ text }) => scoreOf(text));
        const ham = unseen.filter((each) => !each.spam).map(({ text }) => scoreOf(text));
        return [areaUnderCurve(spam, ham), shareAtLeast(spam, thresholdAt(chat.map(scoreOf), 0.001))];
      };
      const [area, recall] = figures((text) => classifier.score(normalise(text), text));
      const [bayesArea, bayesRecall] = figures(bayes);
      return {
        name: domain,
        figures: {
          AUC: share(area, { goal: 0.93 }),
          'R@0.1%chat': share(recall, { goal: 0.55 }),
          'Bayes AUC': share(bayesArea),
          'Bayes R@0.1%chat': share(bayesRecall),
        },
      };
    });
    return [...found, unseenRoom()];
  },
};
