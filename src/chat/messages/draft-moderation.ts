/**
 * Judges drafts, and applies `moderation.fallback` to those that get no verdict in time:
 *
 * - `refuse`, `local`: the draft is refused with `unavailable` (`local` has asked the engine of this process already)
 * - `pending`: the draft is kept, and delivered once it is judged; so is what its author sends to the room after it
 * - `open`: the draft is delivered as plain text, and judged later
 *
 * moderation-retry.ts judges the kept drafts later.
 */
import { Failure } from '../../errors.ts';
import {
  type DraftText,
  type FallbackMode,
  type Judge,
  NoVerdict,
  type Verdict,
} from '../../processing/client/processing-client.ts';
import type { CheckedDraft, SendOutcome } from '../state/message-draft.ts';
import type { ModerationRetryRepository } from './moderation-retry-repository.ts';
import { plainHtml } from './plain-html.ts';
import type { SenderRecords } from './sender-records.ts';

/** There is an answer already: the first one of the draft's key, or the draft waits for a later verdict. */
export interface Answered {
  readonly outcome: 'answered';
  readonly answer: SendOutcome;
}

export interface DraftModeration {
  /** @throws NoVerdict */
  readonly judge: (draft: CheckedDraft) => Promise<Verdict | Answered>;
}

/** Of a message without text, whose files or copied text were judged by themselves. */
const nothingToJudge: Verdict = {
  outcome: 'allow',
  spamScore: 0,
  labels: [],
  html: '',
  links: [],
  mentions: [],
  engineVersion: 'none',
};

export function createDraftModeration({
  judge,
  records,
  unmoderated,
  findFirstAnswer,
  mode,
}: {
  judge: Judge;
  records: Pick<SenderRecords, 'find'>;
  unmoderated: Pick<ModerationRetryRepository, 'hold' | 'isWaiting'>;
  /** @throws Failure `conflict` when the key was used for other content */
  findFirstAnswer: (draft: CheckedDraft) => Promise<SendOutcome | undefined>;
  mode: FallbackMode;
}): DraftModeration {
  async function judgeDraft(draft: CheckedDraft): Promise<Verdict | Answered> {
    // A message that waits for its verdict must not be overtaken by a later one of its author.
    if (mode === 'pending' && (await unmoderated.isWaiting(draft.roomId, draft.authorId))) return holdBack(draft);
    if (draft.text === '') return nothingToJudge;
    try {
      return await judge(draftText(draft, 'message', records.find(draft.authorId)));
    } catch (error) {
      if (!(error instanceof NoVerdict)) throw error;
      if (error.mode === 'pending') return holdBack(draft);
      if (error.mode === 'open') return deliverUnjudged(draft);
      throw error;
    }
  }

  async function holdBack(draft: CheckedDraft): Promise<Answered> {
    const first = await findFirstAnswer(draft);
    const answer = first ?? { ...(await unmoderated.hold(draft, 'pending')), seq: 0, pending: true };
    return { outcome: 'answered', answer };
  }

  async function deliverUnjudged(draft: CheckedDraft): Promise<Verdict | Answered> {
    const first = await findFirstAnswer(draft);
    if (first) return { outcome: 'answered', answer: first };
    // Kept before it is delivered, so that everything delivered unjudged is judged later.
    const kept = await unmoderated.hold(draft, 'open');
    if (kept.duplicate)
      throw new Failure('unavailable', 'an earlier send with this clientId is under way', { retryAfterMs: 1000 });
    const html = plainHtml(draft.text);
    return { outcome: 'allow', spamScore: 0, labels: [], html, links: [], mentions: [], engineVersion: 'none' };
  }

  return { judge: judgeDraft };
}

/** @param sender what moderation should know of the author, if anything */
export function draftText(
  { messageId, text, roomId, authorId }: Pick<CheckedDraft, 'messageId' | 'text' | 'roomId' | 'authorId'>,
  kind: DraftText['kind'],
  sender: DraftText['sender'],
): DraftText {
  const draft = { key: messageId, text, kind, roomId, senderId: authorId };
  return sender === undefined ? draft : { ...draft, sender };
}
