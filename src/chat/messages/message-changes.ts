/** Edits and deletions by a message's author, and deletions by moderators of its room. */
import { Failure } from '../../errors.ts';
import { may } from '../../permissions.ts';
import type { Judge } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { EventLog } from '../events/event-log.ts';
import { threadsAfter } from '../events/thread-summary-repository.ts';
import { type Contact, isPair } from '../membership/contact.ts';
import { hasMark } from '../state/message-marks.ts';
import { requireText } from '../state/message-text.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { BlockedText, type RecordBlocked } from './blocked-text.ts';
import { draftText } from './draft-moderation.ts';
import type { ExtrasLoader } from './extras-loader.ts';
import type { FlagPolicy } from './flag-policy.ts';
import { recordFlag } from './flag-repository.ts';
import type { MentionLookup } from './mentioned-members.ts';
import type { MessageReading } from './message-reading.ts';
import {
  findDeletionSeq,
  forgetRemoved,
  lockMessage,
  type MessageVersion,
  redact,
  requireFinished,
  storeVersion,
} from './message-version-repository.ts';
import type { QueuePreviews } from './preview-queue.ts';
import type { SenderRecords } from './sender-records.ts';

export interface MessageChanges {
  /** @returns the seq of the edit; of the version already there when nothing changes */
  readonly edit: (actor: Actor, roomId: string, messageId: string, text: string) => Promise<{ seq: number }>;
  /** @returns the seq of the deletion, the first one when it is repeated */
  readonly remove: (actor: Actor, roomId: string, messageId: string) => Promise<{ seq: number }>;
}

export interface MessageChangesOptions {
  readonly judge: Judge;
  readonly records: SenderRecords;
  readonly recordBlocked: RecordBlocked;
  readonly eventLog: Pick<EventLog, 'transact' | 'nowMs'>;
  readonly reading: Pick<MessageReading, 'findIn' | 'findToActOn'>;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /** The same for somebody who may read there. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly contact: Contact;
  readonly findMentioned: MentionLookup;
  readonly flags: FlagPolicy;
  readonly snapshot: ExtrasLoader['snapshot'];
  readonly purge: ExtrasLoader['purge'];
  readonly queuePreviews: QueuePreviews;
  readonly recordAct: RecordAct;
  /** Code points. */
  readonly maxLength: number;
}

export function createMessageChanges(options: MessageChangesOptions): MessageChanges {
  const { judge, records, recordBlocked, eventLog, reading, follow, contact, findMentioned, flags, recordAct } =
    options;

  async function edit(actor: Actor, roomId: string, messageId: string, source: string): Promise<{ seq: number }> {
    const text = requireText(source, '/text', options.maxLength);
    const { state } = await requireEditable(actor, roomId, messageId);
    const author = { roomId, authorId: actor.userId };
    const verdict = await judge(draftText({ ...author, messageId, text }, 'edit', records.find(actor.userId)));
    if (verdict.outcome === 'block') {
      const refusal = new BlockedText(verdict);
      await recordBlocked(author, 'edit', refusal);
      throw refusal;
    }
    const { mentions, mentionsAll, html } = await findMentioned(state, verdict, actor.userId);
    const { answer, seq } = await flags.commit(author, verdict, (flag) =>
      eventLog.transact(roomId, async (context) => {
        context.state.require(actor, 'edit_own');
        context.state.requireUnmuted(actor.userId, eventLog.nowMs());
        const current = await lockMessage(context.tx, { roomId, messageId });
        if (current.deleted) throw new Failure('not_found', 'no such message');
        if (current.authorId !== actor.userId) throw new Failure('forbidden', 'only its author edits a message');
        if (hasMark(current.marks, 'forwarded')) throw forwardedStays();
        if (hasMark(current.marks, 'stream')) await requireFinished(context.tx, messageId);
        if (current.text === text) return { events: [], answer: current.seq };
        await storeVersion(context.tx, { roomId, messageId }, current, { text, html, mentions, mentionsAll });
        if (flag) await recordFlag(context.tx, { ...author, messageId }, flag);
        await options.queuePreviews(context.tx, { roomId, messageId, html, marks: current.marks });
        const shown = await options.snapshot(context.tx, { id: messageId, marks: current.marks });
        const data = shown ? { shown } : {};
        return { events: [{ type: 'message.updated', actorId: actor.userId, messageId, data }], answer: undefined };
      }),
    );
    return { seq: answer ?? seq };
  }

  /** Refuses early what the transaction would refuse. */
  async function requireEditable(actor: Actor, roomId: string, messageId: string): Promise<Feed<RoomState>> {
    const known = await follow(roomId);
    // Staff may act in a room that it may not read, but does not write there.
    if (known.state.standingOf(actor) === 'staff') known.state.require(actor, 'edit_own');
    const feed = await options.followToRead(actor, roomId);
    const before = await reading.findIn(feed, actor, messageId);
    if (before.sender.id !== actor.userId) throw new Failure('forbidden', 'only its author edits a message');
    if (before.forwarded) throw forwardedStays();
    feed.state.require(actor, 'edit_own');
    feed.state.requireUnmuted(actor.userId, eventLog.nowMs());
    // An edit reaches the other person just as a new message would.
    if (isPair(feed.state)) await contact.requireConversation(feed.state, actor.userId);
    return feed;
  }

  async function remove(actor: Actor, roomId: string, messageId: string): Promise<{ seq: number }> {
    await reading.findToActOn(actor, roomId, messageId);
    const { answer, seq } = await eventLog.transact(roomId, async ({ tx, state }) => {
      const current = await lockMessage(tx, { roomId, messageId });
      const isOwn = current.authorId === actor.userId && may(state.standingOf(actor), 'delete_own');
      if (!isOwn) state.require(actor, 'delete_any');
      // If a moderator removed it before, its author can still delete it for good.
      if (isOwn) await forgetRemoved(tx, messageId);
      if (isOwn || !current.deleted) await options.purge(tx, [messageId]);
      if (current.deleted) return { events: [], answer: await findDeletionSeq(tx, { roomId, messageId }) };
      await redact(tx, { roomId, messageId }, actor.userId);
      if (!isOwn) await recordDeletion(current, tx);
      const inThread = (await threadsAfter(tx, [current.threadId])).get(current.threadId);
      const data = { messageId, by: actor.userId, ...inThread };
      return { events: [{ type: 'message.deleted', actorId: actor.userId, messageId, data }], answer: undefined };
    });
    return { seq: answer ?? seq };

    function recordDeletion({ authorId }: MessageVersion, tx: Parameters<RecordAct>[0]): Promise<void> {
      const act = { action: 'message.delete', actorId: actor.userId, roomId, targetId: messageId };
      return recordAct(tx, { ...act, details: { authorId } });
    }
  }

  return { edit, remove };
}

/** An edit could change words that are shown as those of somebody else. */
function forwardedStays(): Failure {
  return new Failure('forbidden', 'a forwarded message cannot be edited');
}
