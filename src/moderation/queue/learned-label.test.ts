import { expect, test } from 'vitest';
import { learnedLabel } from './learned-label.ts';

const labels = (...names: string[]) => names.map((name) => ({ name }));
const reports = (...reasons: string[]) => reasons.map((reason) => ({ reason }));

test.each([
  ['nothing', labels(), reports(), 'spam', 'ham'],
  ['a spam label', labels('spam'), reports(), 'spam', 'ham'],
  ['a link label', labels('link.lookalike'), reports(), 'spam', 'ham'],
  ['an offensive label', labels('slur'), reports(), 'offensive', 'clean'],
  ['spam and offence', labels('spam', 'slur'), reports(), 'spam', 'ham'],
  ['a report of spam', labels(), reports('This is a SCAM'), 'spam', 'ham'],
  ['a report of anything else', labels(), reports('rude'), 'offensive', 'clean'],
  ['an offensive label, reported as an advert', labels('profanity'), reports('advertising'), 'spam', 'ham'],
  ['a rule of the room', labels('rule'), reports(), 'spam', 'ham'],
] as const)('with %s, removing teaches %4$s and approving the opposite', (_, names, reasons, removed, approved) => {
  expect(learnedLabel({ labels: names, reports: reasons }, 'remove')).toBe(removed);
  expect(learnedLabel({ labels: names, reports: reasons }, 'approve')).toBe(approved);
});
