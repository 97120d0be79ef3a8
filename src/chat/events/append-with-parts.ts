/**
 * Appends a message that has more than a text: files, a poll, a forwarded message. Such a message is stored in a
 * transaction of its own, with what its parts write. Plain messages go through `batch-commit.ts`, several in one statement.
 */
import type { Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { CheckedDraft, ModeratedDraft, SendOutcome } from '../state/message-draft.ts';
import { hasWebLinks } from '../state/message-links.ts';
import type { Flag } from '../state/verdict-records.ts';
import type { AppendAuthority, RevocationView } from './append-authority.ts';
import {
  addMailCheck,
  addPreviewFetch,
  findStoredKey,
  followThread,
  hasUnknownRevocation,
} from './event-repository.ts';
import type { PlanAppend } from './planned-append.ts';

/** What one feature stores of a message, in the transaction that stores the message. */
export interface PartsWriter {
  /**
   * The text of the part, which moderation judges before the message is stored.
   * @throws Failure; the send is then refused
   */
  readonly text?: (draft: CheckedDraft) => string | undefined;
  /**
   * @returns the bits of `messageMarks` that it sets, what it adds to `events.data` of the row, and the text of the row if it
   *   is not that of the draft
   * @throws Failure; the message is then not stored
   */
  readonly write: (
    tx: Transaction,
    draft: ModeratedDraft,
    seq: number,
  ) => Promise<{
    readonly marks: number;
    readonly data?: Readonly<Record<string, unknown>>;
    readonly content?: { readonly text: string; readonly html: string };
  }>;
}

export interface AppendWithPartsOptions {
  readonly authority: Pick<AppendAuthority, 'require'>;
  readonly revocations: RevocationView;
  readonly writers: readonly PartsWriter[];
  /** Puts a message into the moderators' queue. */
  readonly recordFlag: (
    tx: Transaction,
    message: { roomId: string; messageId: string; authorId: string },
    flag: Flag,
  ) => Promise<void>;
  /** Milliseconds; undefined: no mail. */
  readonly mailDelayMs: number | undefined;
  readonly previews: boolean;
}

/** The plan of one message. Its answer is where the message is, or where the first one with its key is. */
export function createAppendWithParts(
  options: AppendWithPartsOptions,
): (draft: ModeratedDraft) => PlanAppend<SendOutcome> {
  const { authority, revocations, writers, recordFlag, mailDelayMs, previews } = options;

  async function requireKnownRevocations(tx: Transaction): Promise<void> {
    if (await hasUnknownRevocation(tx, revocations.horizon())) await revocations.sync();
  }

  async function writeParts(tx: Transaction, draft: ModeratedDraft, seq: number) {
    let marks = 0;
    let data: Record<string, unknown> = {};
    let content = {};
    for (const writer of writers) {
      const written = await writer.write(tx, draft, seq);
      marks |= written.marks;
      data = { ...data, ...written.data };
      content = { ...content, ...written.content };
    }
    return { marks, data, content };
  }

  return (draft) =>
    async ({ tx, state, nextSeq }) => {
      const { roomId, authorId, messageId, digest, flag } = draft;
      const first = await findStoredKey(tx, draft);
      if (first && first.digest !== digest) throw new Failure('conflict', 'this clientId was used for another message');
      if (first) {
        const { messageId: id, seq, atMs } = first;
        return { events: [], answer: { messageId: id, seq, atMs, duplicate: id !== messageId } };
      }
      await requireKnownRevocations(tx);
      authority.require(state, draft);
      const { marks, data, content } = await writeParts(tx, draft, nextSeq);
      if (flag) await recordFlag(tx, { roomId, messageId, authorId }, flag);
      const complete = { ...draft, ...content };
      const after = async () => {
        if (draft.threadId !== null) await followThread(tx, draft, nextSeq);
        if (mailDelayMs !== undefined) await addMailCheck(tx, roomId, mailDelayMs);
        if (previews && hasWebLinks(complete.html)) await addPreviewFetch(tx, complete);
      };
      const event = {
        type: 'message.created',
        actorId: authorId,
        messageId,
        data,
        message: { draft: complete, marks },
      };
      return { events: [event], answer: { messageId, seq: nextSeq, atMs: 0, duplicate: false }, after };
    };
}
