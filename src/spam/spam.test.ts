import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type AssessPolicy, createAssessor } from './assess.ts';
import { createClassifier } from './classifier/classifier.ts';
import { createLearner, type Replay } from './classifier/learner.ts';
import { readModel, writeModel } from './classifier/model-file.ts';
import { createTermMatcher } from './terms/terms.ts';
import { createNormaliser } from './text/normalise.ts';
import { createToxicityClassifier } from './toxicity/toxicity.ts';
import { readToxicityModel } from './toxicity/toxicity-file.ts';

const artefacts = new URL('../../data/moderation/artefacts/', import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, artefacts), 'utf8'));
const normalise = createNormaliser(json('lookalikes.json'));
const terms = createTermMatcher(json('terms.json'), normalise);
const model = readModel(readFileSync(new URL('spam.model', artefacts)));
const classifier = createClassifier(model);
const replay = json('replay.json') as Replay;
const learner = createLearner({ model, normalise, replay });
const toxicity = createToxicityClassifier(readToxicityModel(readFileSync(new URL('toxicity.model', artefacts))));
const assess = createAssessor({ normalise, terms, toxicity, classifier });
const policy: AssessPolicy = { flagThreshold: 0.8, blockThreshold: 0.95, profanity: 'flag', slurs: 'flag' };
const score = (text: string) => classifier.score(normalise(text), text);

test.each([
  ['lower case', 'HeLLo', 'hello'],
  ['styled letters', '𝓱𝓮𝓵𝓵𝓸 ｈｅｌｌｏ Ⓗⓔⓛⓛⓞ', 'hello hello hello'],
  ['accents and marks', 'h\u0301e\u0302ĺļö', 'hello'],
  ['other alphabets’ lookalikes', 'hеllо', 'hello'],
  ['what nobody sees', 'h\u200be\u00adl\u2060l\ufeffo', 'hello'],
  ['entities and escapes', '&#104;&#x65;l%6co', 'hello'],
  ['flags', '🇭🇮', 'hi'],
])('%s fold to what a reader sees', (_, text, folded) => {
  expect(normalise(text).folded).toBe(folded);
});

test('every folded unit has its offsets in the original', () => {
  const text = 'x &#102;\u200bｕck';
  const { folded, starts, ends } = normalise(text);
  expect(folded).toBe('x fuck');
  expect([...folded].map((_, at) => text.slice(starts[at]!, ends[at]!))).toEqual(['x', ' ', '&#102;', 'ｕ', 'c', 'k']);
});

test('spam scores high, chat low, and texts in scripts that the model cannot read are never flagged', () => {
  expect(score('WIN a FREE prize now! Call 09061701461 to claim $1000 cash')).toBeGreaterThan(0.95);
  expect(score('did you manage to fix the printer yesterday?')).toBeLessThan(0.3);
  expect(score('今日はいい天気ですね、散歩に行きましょう')).toBeLessThan(0.5);
  expect(score('지금 클릭!!! http://abc.example/1 무료 $500 💰💰💰 @user123 +82 10 0013 8000')).toBeLessThan(0.8);
  expect(score('ok')).toBeLessThan(0.3);
});

test.each([
  '限时优惠！！！点击 http://abc.example/1 领取 $500 💰💰💰 @user123 +86 138 0013 8000',
  '高|价|收|佧 公.户50万起 当天结账 联系 @abc888',
  '诚招兼職，日入3000，一部手機就行，詳情私信 @abc888',
])('Chinese spam is flagged but never blocked: %s', (text) => {
  expect(score(text)).toBeGreaterThan(0.8);
  expect(score(text)).toBeLessThan(0.95);
});

test.each([
  '你好，晚上一起去吃火锅吗？我在地铁站等你',
  '我在银行开了一张信用卡，手续费有点贵',
  '公司这个月的工资发了吗？财务说明天到账，收到请回复',
  '群里有人发兼职刷单的广告，都是骗子，别加他微信',
  '转让二手自行车一辆，300块，需要的私聊我',
])('ordinary Chinese chat is not flagged: %s', (text) => {
  expect(score(text)).toBeLessThan(0.8);
});

test('ordinary lines around spam do not hide it', () => {
  const spam = 'WIN a FREE prize now! Call 09061701461 to claim $1000 cash';
  const before = 'did you manage to fix the printer yesterday? i think the driver was missing after the last update';
  const after = 'no idea, let me ask my brother when he is back from work, he has the same model at home';
  expect(score(`${before} ${after}`)).toBeLessThan(0.5);
  expect(score(`${before} ${spam} ${after}`)).toBeGreaterThan(0.8);
});

test('words with signs between their letters are read as words, and numbers stay numbers', () => {
  const spam = 'You have won a prize call 09061701461 now to claim';
  const parted = spam
    .split(' ')
    .map((word) => [...word].join('-'))
    .join(' ');
  expect(score(parted)).toBeGreaterThan(0.9);
});

test.each(['Order 17', 'Order #8842', 'Crypto', 'Marketing deals', 'Free'])(
  'a word or two with nowhere to go is no spam: %s',
  (text) => {
    expect(score(text)).toBeLessThan(0.8);
  },
);

test('the policy decides the action of each label', () => {
  expect(assess('well shit', policy).outcome).toBe('flag');
  expect(assess('well shit', { ...policy, profanity: 'block' }).outcome).toBe('block');
  expect(assess('well shit', { ...policy, profanity: 'off' })).toMatchObject({ outcome: 'allow', labels: [] });
});

test('learning raises the scores of what moderators call spam and leaves ordinary chat unchanged', () => {
  const { ham } = replay;
  const wave = (n: number) => `dear friends the lantern oracle blessed my family write the keeper in hall ${n}`;
  const examples = Array.from({ length: 50 }, (_, n) => ({ text: wave(n), spam: true, moderatorId: `m${n % 4}` }));
  const learned = createClassifier(model, learner.learn(examples, 'wave'));
  const after = (text: string) => learned.score(normalise(text), text);
  expect(after(wave(99))).toBeGreaterThan(Math.max(0.9, score(wave(99))));
  const loud = ham.filter((text) => after(text) >= 0.95).length;
  expect(loud).toBeLessThanOrEqual(ham.filter((text) => score(text) >= 0.95).length + 1);
});

test('one moderator alone cannot turn ordinary words into spam against the others', () => {
  const { ham } = replay;
  const ordinary = ham.slice(0, 40);
  const poison = ordinary.map((text) => ({ text, spam: true, moderatorId: 'mallory' }));
  const honest = ordinary.map((text, n) => ({ text, spam: false, moderatorId: `m${n % 3}` }));
  const learned = createClassifier(model, learner.learn([...poison, ...honest], 'poisoned'));
  expect(ordinary.filter((text) => learned.score(normalise(text), text) >= 0.95)).toEqual([]);
});

test('a model is the same after it was written and read', () => {
  expect(readModel(writeModel(model))).toEqual(model);
});
