/** Judges the texts of a draft's parts, such as the options of a poll, before the draft itself is judged. */
import type { Judge, Verdict } from '../../processing/client/processing-client.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import type { CheckedDraft } from '../state/message-draft.ts';
import { BlockedText } from './blocked-text.ts';
import { draftText } from './draft-moderation.ts';
import type { SenderRecords } from './sender-records.ts';

/**
 * All texts of a draft's parts as one, so that nothing is split over several options.
 * @returns undefined for a draft without such texts
 * @throws BlockedText, Failure of a part's own checks; NoVerdict in every fallback mode: a part is never shown unjudged
 */
export type JudgeParts = (draft: CheckedDraft) => Promise<Verdict | undefined>;

export function createPartsModeration({
  judge,
  records,
  writers,
}: {
  judge: Judge;
  records: Pick<SenderRecords, 'find'>;
  writers: readonly PartsWriter[];
}): JudgeParts {
  return async (draft) => {
    const texts = writers.flatMap((writer) => writer.text?.(draft) ?? []);
    if (texts.length === 0) return undefined;
    const text = texts.join('\n');
    const asked = { ...draft, messageId: `${draft.messageId} parts`, text };
    const verdict = await judge(draftText(asked, 'message', records.find(draft.authorId)));
    if (verdict.outcome === 'block') throw new BlockedText(verdict);
    return verdict;
  };
}

/** The verdict of the draft's own text; flagged as well if its parts are. */
export function withParts(verdict: Verdict, parts: Verdict | undefined): Verdict {
  if (parts?.outcome !== 'flag') return verdict;
  const spamScore = Math.max(verdict.spamScore, parts.spamScore);
  return { ...verdict, outcome: 'flag', spamScore, labels: [...verdict.labels, ...parts.labels] };
}
