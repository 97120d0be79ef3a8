import { expect, test } from 'vitest';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Flag } from '../state/verdict-records.ts';
import { createFlagPolicy } from './flag-policy.ts';

const author = { roomId: 'room', authorId: 'ana' };

function verdict(outcome: Verdict['outcome'], ...names: string[]): Verdict {
  const labels = names.map((name) => ({ name, score: 1, start: 0, end: 1, matched: 'x', id: '' }));
  return { outcome, spamScore: 0, labels, html: '', links: [], mentions: [], engineVersion: '1' } as unknown as Verdict;
}

const keep = async (flag: Flag | undefined) => flag?.labels.map(({ name }) => name);

test('a message that is not flagged gets no entry, a flagged one does each time', async () => {
  const { commit } = createFlagPolicy();
  expect(await commit(author, verdict('allow', 'spam'), keep)).toBeUndefined();
  expect(await commit(author, verdict('flag', 'spam'), keep)).toEqual(['spam']);
  expect(await commit(author, verdict('flag', 'spam', 'flood'), keep)).toEqual(['spam', 'flood']);
});

test('a flood gets one entry for each author and room', async () => {
  const { commit } = createFlagPolicy();
  const flood = verdict('flag', 'flood');
  expect(await commit(author, flood, keep)).toEqual(['flood']);
  expect(await commit(author, flood, keep)).toBeUndefined();
  expect(await commit({ ...author, authorId: 'ben' }, flood, keep)).toEqual(['flood']);
});

test('a flood whose first message was not stored gets its entry with the next one', async () => {
  const { commit } = createFlagPolicy();
  const flood = verdict('flag', 'flood');
  await expect(commit(author, flood, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(await commit(author, flood, keep)).toEqual(['flood']);
});
