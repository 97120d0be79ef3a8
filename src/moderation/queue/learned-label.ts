/** Which lesson the engine learns from a decision. */
import type { ModerationLabel } from '../scope/label-schema.ts';

export type LearnedLabel = 'spam' | 'ham' | 'offensive' | 'clean';

const offensiveLabels = new Set(['profanity', 'slur', 'sexual', 'threat', 'toxicity']);
const isSpamLabel = (name: string): boolean => name === 'spam' || name === 'flood' || name.startsWith('link');
const spamReason = /\b(?:spam|scam|advert|phish|fraud)/i;

/**
 * A decision is about offence if the engine or a report speaks of offence and none of spam; otherwise it is about spam.
 * @param entry.reports a report that does not name spam counts as a report of offence
 */
export function learnedLabel(
  { labels, reports }: { labels: readonly Pick<ModerationLabel, 'name'>[]; reports: readonly { reason: string }[] },
  decision: 'approve' | 'remove',
): LearnedLabel {
  const names = labels.map(({ name }) => name);
  const reasons = reports.map(({ reason }) => reason).join(' ');
  const isSpam = names.some(isSpamLabel) || spamReason.test(reasons);
  const isOffence = !isSpam && (names.some((name) => offensiveLabels.has(name)) || reports.length > 0);
  if (decision === 'remove') return isOffence ? 'offensive' : 'spam';
  return isOffence ? 'clean' : 'ham';
}
