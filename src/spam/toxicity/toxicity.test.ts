import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type AssessPolicy, createAssessor } from '../assess.ts';
import { createClassifier } from '../classifier/classifier.ts';
import type { Replay } from '../classifier/learner.ts';
import { readModel } from '../classifier/model-file.ts';
import { createTermMatcher } from '../terms/terms.ts';
import { createNormaliser } from '../text/normalise.ts';
import { createToxicityClassifier, flagScore, type LearnedToxicity } from './toxicity.ts';
import { readToxicityModel, writeToxicityModel } from './toxicity-file.ts';
import { createToxicityLearner } from './toxicity-learner.ts';

const artefacts = new URL('../../../data/moderation/artefacts/', import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, artefacts), 'utf8'));
const normalise = createNormaliser(json('lookalikes.json'));
const terms = createTermMatcher(json('terms.json'), normalise);
const model = readToxicityModel(readFileSync(new URL('toxicity.model', artefacts)));
const toxicity = createToxicityClassifier(model);
const classifier = createClassifier(readModel(readFileSync(new URL('spam.model', artefacts))));
const assess = createAssessor({ normalise, terms, toxicity, classifier });
const strict: AssessPolicy = { flagThreshold: 0.8, blockThreshold: 0.95, profanity: 'flag', slurs: 'block' };
const score = (text: string): number => {
  const normalised = normalise(text);
  return toxicity.score(normalised, terms(normalised, text));
};

test.each([
  ['you are the most pathetic loser i ever met'],
  ['Muslims are vermin and should be deported'],
  ['i hate refugees, they are disgusting'],
  ['women are inferior'],
])('%s is hostile', (text) => {
  expect(score(text)).toBeGreaterThanOrEqual(flagScore);
  expect(assess(text, strict)).toMatchObject({ outcome: 'flag', labels: [{ name: 'toxicity', start: 0 }] });
});

const groups = ['women', 'Muslims', 'Jews', 'black people', 'refugees', 'gay people', 'trans people', 'Sikhs'];
test.each([
  ['G are welcome here'],
  ['I am proud of the G in my family'],
  ['why are there so few G in parliament?'],
  ['a talk about the history of G'],
])('%s is harmless for every group', (text) => {
  for (const group of groups) expect(score(text.replace('G', group))).toBeLessThan(flagScore);
});

test.each([
  ['whoever wrote "G are vermin" should be ashamed'],
  ['it is wrong to say that G are disgusting'],
  ['stop the hatred against G'],
])('%s objects', (text) => {
  for (const group of groups) expect(score(text.replace('G', group))).toBeLessThan(flagScore);
});

test.each([['G are not vermin'], ["it isn't true that G are inferior"], ['we would never deport G']])(
  '%s denies it',
  (text) => {
    for (const group of groups) expect(score(text.replace('G', group))).toBeLessThan(flagScore);
  },
);

test.each([
  ['a choir with a dog for G'],
  ['the disease affects G more often'],
  ['G are sick of being blamed'],
  ['i hate that G have to put up with this'],
  ['i will stand by G until i die'],
  ['G take the jobs nobody wants'],
  ['he stole from G all these years'],
])('%s: a hostile word beside people that is not said of them', (text) => {
  for (const group of groups) expect(score(text.replace('G', group))).toBeLessThan(flagScore);
});

test.each([
  ["isn't it time that all G are deported?"],
  ["i can't wait to kill all G"],
  ['i think G are vermin'],
  ['"G are vermin", so true'],
])('%s neither denies nor objects', (text) => {
  for (const group of groups) expect(score(text.replace('G', group))).toBeGreaterThanOrEqual(flagScore);
});

test.each([
  ['letters swapped', 'G are vermni'],
  ['a letter left out', 'G are disgustng'],
  ['digits for letters', 'k1ll all G'],
  ['letters spelled out', 'e x t e r m i n a t e all G'],
  ['a small word run together', 'all G areworthless'],
])('%s do not hide hostility', (_, text) => {
  expect(score(text.replace('G', 'Muslims'))).toBeGreaterThanOrEqual(flagScore);
});

test('a word that only resembles a word of a class is not in it', () => {
  for (const text of ['Muslims are in vermont', 'women at the raft race', 'the gay men ate late'])
    expect(score(text)).toBeLessThan(flagScore);
});

test.each([
  ['did you manage to fix the printer yesterday?'],
  ['kill the process and restart it'],
  ['i hate mondays'],
  [''],
])('“%s” is ordinary chat', (text) => {
  expect(score(text)).toBeLessThan(flagScore);
});

test('a reclaimed slur is flagged; a slur against others is blocked if the policy says so', () => {
  expect(assess('my nigga, good to see you', strict).outcome).toBe('flag');
  expect(assess('get lost you nigger', strict).outcome).toBe('block');
});

test('a slur that is quoted in an objection is not flagged', () => {
  expect(assess('calling somebody a "faggot" is not ok', strict).outcome).toBe('allow');
});

test('a toxicity score flags, never blocks, and is off if the policy is off', () => {
  const text = 'Muslims are vermin and should be deported';
  expect(assess(text, { ...strict, profanity: 'block' }).outcome).toBe('flag');
  expect(assess(text, { ...strict, profanity: 'off' })).toMatchObject({ outcome: 'allow', labels: [] });
});

test('the model is the same after it was written and read, and a model of another build is refused', () => {
  expect(readToxicityModel(writeToxicityModel(model))).toEqual(model);
  expect(() => readToxicityModel(writeToxicityModel(model).subarray(0, -1))).toThrow('weights');
});

const replay = json('replay.json') as Replay;
const learner = createToxicityLearner({ model, normalise, terms, replay });
const scorerOf = (learned: LearnedToxicity) => {
  const taught = createToxicityClassifier(model, learned);
  return (text: string): number => {
    const normalised = normalise(text);
    return taught.score(normalised, terms(normalised, text));
  };
};
const nouns = ['plonker', 'muppet', 'wazzock', 'numpty', 'pillock', 'doughnut'];
const insult = (n: number) => `${nouns[n % nouns.length]}, nobody at table ${n} asked for your noodle brained takes`;

test('texts like those that moderators called offensive are flagged, and ordinary chat is unchanged', () => {
  expect(score(insult(99))).toBeLessThan(flagScore);
  const examples = Array.from({ length: 24 }, (_, n) => ({
    text: insult(n),
    offensive: true,
    moderatorId: `m${n % 3}`,
  }));
  const after = scorerOf(learner.learn(examples, 'taught'));
  expect(after(insult(99))).toBeGreaterThanOrEqual(flagScore);
  const flagged = (judge: typeof score) => replay.measured.filter((text) => judge(text) >= flagScore).length;
  expect(flagged(after)).toBeLessThanOrEqual(flagged(score) + 3);
});

test('texts that moderators called clean are no longer flagged; other hostility still is', () => {
  const banter = (n: number) => `you pathetic loser, round ${n} again on friday?`;
  expect(score(banter(50))).toBeGreaterThanOrEqual(flagScore);
  const examples = Array.from({ length: 24 }, (_, n) => ({
    text: banter(n),
    offensive: false,
    moderatorId: `m${n % 3}`,
  }));
  const after = scorerOf(learner.learn(examples, 'taught'));
  expect(after(banter(50))).toBeLessThan(flagScore);
  expect(after('i hate refugees, they are disgusting')).toBeGreaterThanOrEqual(flagScore);
});

test('without lessons the scores are those of the shipped model', () => {
  const after = scorerOf(learner.learn([], 'nothing'));
  for (const text of ['women are inferior', 'see you at noon', insult(3)]) expect(after(text)).toBeCloseTo(score(text));
});
