/** Copies the message that a draft forwards, in the transaction that stores the draft. */
import type { Transaction } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import { copyDigest, nothingToForward } from '../messages/copy-moderation.ts';
import { keepMarks, markedNames } from '../messages/mentioned-members.ts';
import { joinForwarded, type RenderedText, splitForwarded } from '../state/forwarded-text.ts';
import type { ForwardDraft, ModeratedDraft } from '../state/message-draft.ts';
import { hasMark, messageMarks } from '../state/message-marks.ts';
import { type ForwardRecord, type ForwardSource, lockReadable, lockSource, memberNames } from './forward-repository.ts';

/** Gives a message copies of another one's files. @returns how many */
export type CopyAttachments = (
  tx: Transaction,
  copy: {
    readonly fromMessageId: string;
    readonly toMessageId: string;
    readonly toRoomId: string;
    /** Who forwards: the copies are theirs. */
    readonly userId: string;
  },
) => Promise<number>;

/** @param copyAttachments undefined where messages have no files */
export function createForwardWriter(copyAttachments?: CopyAttachments): PartsWriter {
  return {
    write: async (tx, draft) => {
      const forward = draft.parts?.forward;
      if (!forward) return { marks: 0 };
      const source = await requireSource(tx, forward, draft.authorId);
      const { copied } = splitForwarded(source, source.forwarded?.comment);
      // Late verdicts come here too, so a repeat of this very append would never succeed.
      if (copyDigest(copied.text) !== forward.judged)
        throw new Failure('conflict', 'the message was edited while it was forwarded; send it again');
      const files = await copyFiles(tx, source, forward, draft);
      if (copied.text === '' && files === 0) throw invalid('/forward', 'the message has nothing that can be forwarded');
      const shown = await memberNames(tx, draft.roomId, markedNames(copied.html));
      const content = joinForwarded(draft, { text: copied.text, html: keepMarks(copied.html, shown) });
      const marks = messageMarks.forwarded | (files > 0 ? messageMarks.attachments : 0);
      return { marks, data: { forwarded: recordOf(source, draft) }, content };
    },
  };

  async function copyFiles(
    tx: Transaction,
    { marks }: ForwardSource,
    { messageId: fromMessageId }: ForwardDraft,
    { messageId: toMessageId, roomId: toRoomId, authorId: userId }: ModeratedDraft,
  ): Promise<number> {
    if (!copyAttachments || !hasMark(marks, 'attachments')) return 0;
    return copyAttachments(tx, { fromMessageId, toMessageId, toRoomId, userId });
  }
}

/** Locks the message, then what lets the sender read it: other transactions take them in this order. @throws Failure `not_found` */
async function requireSource(tx: Transaction, forward: ForwardDraft, userId: string): Promise<ForwardSource> {
  const source = await lockSource(tx, forward);
  if (!source) throw nothingToForward();
  const first = await lockReadable(tx, { roomId: forward.roomId, userId }).catch((error: unknown) => {
    throw error instanceof Failure ? nothingToForward() : error;
  });
  if (first === undefined || source.seq < first) throw nothingToForward();
  if (hasMark(source.marks, 'poll')) throw invalid('/forward', 'a poll cannot be forwarded');
  return source;
}

/** A forward of a forward names who wrote it first. */
function recordOf({ forwarded, senderId, createdAt }: ForwardSource, comment: RenderedText): ForwardRecord {
  const origin = forwarded ?? { senderId, createdAt };
  return {
    ...{ senderId: origin.senderId, createdAt: origin.createdAt },
    ...(comment.text === '' ? {} : { comment: { text: comment.text.length, html: comment.html.length } }),
  };
}
