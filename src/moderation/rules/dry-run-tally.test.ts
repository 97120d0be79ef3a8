import { expect, test } from 'vitest';
import type { DryRunMessage } from './dry-run-repository.ts';
import { DryRunTally, examplesMax } from './dry-run-tally.ts';

const message = (changes: Partial<DryRunMessage>): DryRunMessage => ({
  messageId: 'm',
  roomId: 'r',
  seq: 1n,
  authorId: 'ana',
  text: 'text',
  at: new Date(0),
  readable: true,
  ...changes,
});

test('counts every match and every author, and quotes only what the caller may read', () => {
  const tally = new DryRunTally();
  tally.count(message({ authorId: 'ana', readable: false }), []);
  tally.count(message({ authorId: 'ben', text: 'shown' }), []);
  tally.count(message({ authorId: 'ben', text: 'shown too' }), []);
  expect(tally.matched).toBe(3);
  expect(tally.authors.size).toBe(2);
  expect(tally.examples.map((example) => example.message.text)).toEqual(['shown', 'shown too']);
});

test('keeps the first examples only', () => {
  const tally = new DryRunTally();
  for (let at = 0; at < examplesMax + 5; at += 1) tally.count(message({ text: String(at) }), []);
  expect(tally.matched).toBe(examplesMax + 5);
  expect(tally.examples).toHaveLength(examplesMax);
  expect(tally.examples.at(-1)?.message.text).toBe(String(examplesMax - 1));
});
