import { Failure } from '../../errors.ts';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { RecordRefusal } from '../state/verdict-records.ts';
import type { SenderRecords } from './sender-records.ts';

/** Moderation blocks a text. Its author gets the labels, and nobody else hears of it. */
export class BlockedText extends Failure {
  readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    super('message_blocked', 'this message was refused by moderation', { details: { labels: verdict.labels } });
    this.verdict = verdict;
  }
}

export type RecordBlocked = (
  author: { readonly roomId: string; readonly authorId: string },
  kind: 'message' | 'edit',
  refusal: BlockedText,
) => Promise<void>;

/** Counts the refusal for the author's next verdicts, and records it for moderators. Awaited before the author gets it. */
export function createBlockedRecorder(
  { noteBlocked }: Pick<SenderRecords, 'noteBlocked'>,
  recordRefusal: RecordRefusal,
): RecordBlocked {
  return ({ roomId, authorId }, kind, { verdict }) => {
    noteBlocked(authorId);
    return recordRefusal({ roomId, authorId, kind, verdict });
  };
}
