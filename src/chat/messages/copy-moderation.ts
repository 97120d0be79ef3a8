/**
 * Judges the text that a forward copies: the rules of the room that it goes to may be stricter than those of the room that it
 * comes from. The comment of the sender is judged like any message.
 */
import { Failure, invalid } from '../../errors.ts';
import type { Judge, Verdict } from '../../processing/client/processing-client.ts';
import { splitForwarded } from '../state/forwarded-text.ts';
import type { CheckedDraft } from '../state/message-draft.ts';
import type { Message } from '../state/message-shape.ts';
import { contentDigest } from '../state/message-text.ts';
import type { Actor } from '../state/room-state.ts';
import { BlockedText } from './blocked-text.ts';
import { draftText } from './draft-moderation.ts';
import type { MessageReading } from './message-reading.ts';
import type { SenderRecords } from './sender-records.ts';

export interface JudgedCopy {
  /** The draft, bound to the text that was judged. */
  readonly draft: CheckedDraft;
  /** Undefined where there is no text: a file alone is forwarded. */
  readonly verdict: Verdict | undefined;
}

/** Identifies the text that was judged: if it is edited before the append, the forward is refused. */
export function copyDigest(text: string): string {
  return String(contentDigest(text, null));
}

/** The message to forward is not there, or not for this reader. */
export function nothingToForward(): Failure {
  return new Failure('not_found', 'the message to forward is not there', {
    errors: [{ path: '/forward', message: 'not a message that you can read' }],
  });
}

/**
 * Refuses early what the append would refuse: it checks again, in its transaction (chat/forwards/forward-writer.ts).
 * @throws Failure `not_found`, `invalid`, `message_blocked`; NoVerdict
 */
export function createCopyModeration({
  judge,
  records,
  find,
}: {
  judge: Judge;
  records: Pick<SenderRecords, 'find'>;
  find: MessageReading['find'];
}): (actor: Actor, draft: CheckedDraft) => Promise<JudgedCopy> {
  /** @throws Failure `not_found`, whatever the reason: the room that it comes from is nothing that this room should tell of */
  async function findSource(actor: Actor, { roomId, messageId }: { roomId: string; messageId: string }) {
    const source = await find(actor, roomId, messageId).catch((error: unknown) => {
      const isHidden = error instanceof Failure && ['not_found', 'forbidden', 'banned'].includes(error.code);
      throw isHidden ? nothingToForward() : error;
    });
    if (source.deletedAt) throw nothingToForward();
    return source;
  }

  return async (actor, draft) => {
    const forward = draft.parts!.forward!;
    const source = await findSource(actor, forward);
    if (source.poll) throw invalid('/forward', 'a poll cannot be forwarded');
    if (source.streaming) throw invalid('/forward', 'the message is still being written');
    const { text } = copiedFrom(source);
    const judged = { ...draft, parts: { ...draft.parts, forward: { ...forward, judged: copyDigest(text) } } };
    if (text === '') return { draft: judged, verdict: undefined };
    const { authorId } = draft;
    const verdict = await judge(draftText({ ...draft, text }, 'message', records.find(authorId)));
    if (verdict.outcome === 'block') throw new BlockedText(verdict);
    return { draft: judged, verdict };
  };
}

/** Of a message that was forwarded itself, only what was copied goes on. */
function copiedFrom({ text, html, forwarded }: Message) {
  const comment = forwarded?.comment;
  return splitForwarded({ text, html }, comment && { text: comment.text.length, html: comment.html.length }).copied;
}
