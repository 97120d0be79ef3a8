import { expect, test } from 'vitest';
import type { SenderRecord } from './classifier/sender-record.ts';
import { confirm, judgeScore, reconsider, type SignSettings } from './second-sign.ts';

const day = 86_400;
const spam: SignSettings = { action: 'auto', newcomerSeconds: 7 * day, newcomerMessages: 10 };
const policy = { flagThreshold: 0.8, blockThreshold: 0.95, spam };
const known: SenderRecord = { accountAgeSeconds: 90 * day, messagesTotal: 60 };
const judge = (score: number, sender?: SenderRecord, more: object = {}, settings: Partial<SignSettings> = {}) =>
  judgeScore({ score, textScore: score, untaught: () => score, links: [], blockedAnyway: false, ...more }, sender, {
    ...policy,
    spam: { ...spam, ...settings },
  });
const link = (id: string) => [{ name: 'link', score: 0.7, start: 0, end: 1, matched: '', id }];

test.each<[string, number, SenderRecord | undefined, object, string]>([
  ['nothing is known of the sender', 0.995, undefined, {}, 'stranger'],
  ['an empty record says nothing', 0.995, {}, {}, 'stranger'],
  ['a new account writes its first messages', 0.995, { accountAgeSeconds: 60, messagesTotal: 2 }, {}, 'newcomer'],
  ['only the age is known', 0.995, { accountAgeSeconds: 60 }, {}, 'newcomer'],
  ['a text of theirs was refused', 0.96, { ...known, blockedLastDay: 1 }, {}, 'complaints'],
  ['several people reported them', 0.96, { ...known, reportedLastDay: 3 }, {}, 'complaints'],
  ['they write in haste', 0.96, { ...known, messagesLastMinute: 40 }, {}, 'haste'],
  ['a link pretends to be another host', 0.96, known, { links: link('link-brand') }, 'link'],
  ['moderators taught it', 0.96, known, { untaught: () => 0.6 }, 'lessons'],
])('a high score blocks where %s', (_, score, sender, more, sign) => {
  expect(judge(score, sender, more)).toEqual({ action: 'block', id: `model+${sign}` });
});

test.each<[string, number, SenderRecord | undefined, object, string]>([
  ['of a known sender, however high it is', 0.9999, known, {}, 'alone'],
  ['of an old account', 0.9999, { accountAgeSeconds: 90 * day }, {}, 'alone'],
  ['of an account with many messages', 0.9999, { accountAgeSeconds: 60, messagesTotal: 10 }, {}, 'alone'],
  ['of a stranger where it is not certain', 0.98, undefined, {}, 'alone'],
  ['of somebody reported once', 0.96, { ...known, reportedLastDay: 1 }, {}, 'alone'],
  ['with a shortened link', 0.96, known, { links: link('link-shortener') }, 'alone'],
  ['with a link into a private network', 0.96, known, { links: link('link-private') }, 'alone'],
  ['between people who have talked before', 0.9999, { acquainted: true, blockedLastDay: 9 }, {}, 'acquainted'],
])('a high score flags %s', (_, score, sender, more, why) => {
  expect(judge(score, sender, more)).toEqual({ action: 'flag', id: `model+${why}` });
});

test('the setting decides: `block` needs no sign, `flag` blocks nothing', () => {
  expect(judge(0.96, known, {}, { action: 'block' })).toEqual({ action: 'block', id: 'model' });
  expect(judge(0.9999, undefined, {}, { action: 'flag' })).toEqual({ action: 'flag', id: 'model' });
});

test('with a lower threshold for blocking, strangers are blocked from a lower score too', () => {
  const lower = { ...policy, blockThreshold: 0.5, flagThreshold: 0.4 };
  const text = { score: 0.92, textScore: 0.92, untaught: () => 0.92, links: [], blockedAnyway: false };
  expect(judgeScore(text, undefined, lower).action).toBe('block');
  expect(judgeScore({ ...text, score: 0.6 }, undefined, lower).action).toBe('flag');
});

const labelled = (id: string, outcome: 'flag' | 'block', others: object[] = []) => ({
  outcome,
  labels: [{ name: 'spam', score: 0.99, start: 0, end: 9, matched: '', id }, ...(others as [])],
});

test('a verdict is reconsidered once the sender is known', () => {
  const strange = labelled('model+stranger', 'block');
  expect(reconsider(strange, known, spam)).toEqual(labelled('model+alone', 'flag'));
  expect(reconsider(strange, { accountAgeSeconds: 5, messagesTotal: 0 }, spam)).toEqual(
    labelled('model+newcomer', 'block'),
  );
  expect(reconsider(labelled('model+copies', 'block'), { ...known, acquainted: true }, spam)).toEqual(
    labelled('model+acquainted', 'flag'),
  );
  // What blocks for another reason, or for another sign, stays.
  for (const other of [labelled('model', 'block'), labelled('model+copies', 'block'), labelled('model+alone', 'flag')])
    expect(reconsider(other, known, spam)).toEqual(other);
});

test('a sign that is found later makes the score block for good, but never between acquaintances', () => {
  for (const before of [labelled('model+alone', 'flag'), labelled('model+stranger', 'block')]) {
    const confirmed = confirm(before, 'copies')!;
    expect(confirmed).toEqual(labelled('model+copies', 'block'));
    expect(reconsider(confirmed, known, spam)).toEqual(confirmed);
  }
  expect(confirm(labelled('model+acquainted', 'flag'), 'copies')).toBeUndefined();
  expect(confirm(labelled('model', 'flag'), 'copies')).toBeUndefined();
});
