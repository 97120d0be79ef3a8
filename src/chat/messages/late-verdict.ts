/**
 * Applies a late verdict to a message that got none in time. A message that was kept back (`pending`) is delivered or
 * its author gets a refusal. A message that was delivered unjudged (`open`) gets its rendered form or is removed.
 */
import { Failure } from '../../errors.ts';
import type { Judge, Verdict } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Contact } from '../membership/contact.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RoomState } from '../state/room-state.ts';
import type { Flag, RecordRefusal } from '../state/verdict-records.ts';
import { draftText } from './draft-moderation.ts';
import type { ExtrasLoader } from './extras-loader.ts';
import type { FlagPolicy } from './flag-policy.ts';
import { recordFlag } from './flag-repository.ts';
import type { MentionLookup } from './mentioned-members.ts';
import { withdraw } from './message-removal.ts';
import { hasMessage, lockRow, storeRendering } from './message-version-repository.ts';
import type { Unmoderated } from './moderation-retry-repository.ts';
import type { QueuePreviews } from './preview-queue.ts';

export interface LateVerdictOptions {
  readonly judge: Judge;
  readonly eventLog: Pick<EventLog, 'append' | 'transact' | 'epoch'>;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly findMentioned: MentionLookup;
  /** A room as of some recent position; undefined where there is none. */
  readonly findFeed: (roomId: string) => Promise<Feed<RoomState> | undefined>;
  /** Sends a frame to all connections of a user. */
  readonly signalUser: (userId: string, json: string) => void;
  readonly flags: FlagPolicy;
  readonly snapshot: ExtrasLoader['snapshot'];
  readonly queuePreviews: QueuePreviews;
  readonly recordRefusal: RecordRefusal;
}

export interface LateVerdicts {
  /** Judges a message and acts on the verdict. Safe to repeat. @throws NoVerdict; what an append throws */
  readonly settle: (message: Unmoderated) => Promise<void>;
  /** Sends the author a `notice` that the message is refused. */
  readonly tellAuthor: (
    message: Unmoderated,
    code: string,
    text: string,
    details: Readonly<Record<string, unknown>>,
  ) => void;
}

export function createLateVerdicts(options: LateVerdictOptions): LateVerdicts {
  const { judge, eventLog, profiles, contact, findMentioned, flags } = options;

  async function settle(message: Unmoderated): Promise<void> {
    const { roomId, authorId } = message;
    const verdict = await judge(draftText(message, 'message', undefined));
    if (verdict.outcome === 'block') {
      if (message.mode === 'open') await removeDelivered(message);
      await options.recordRefusal({ roomId, authorId, kind: 'message', verdict });
      tellAuthor(message, 'message_blocked', 'this message was refused by moderation', { labels: verdict.labels });
      return;
    }
    const act = message.mode === 'pending' ? deliver : render;
    await flags.commit(message, verdict, (flag) => act(message, verdict, flag));
  }

  /** The append uses the clientId of the send, so a repetition stores nothing twice. */
  async function deliver(message: Unmoderated, verdict: Verdict, flag: Flag | undefined): Promise<void> {
    const { mode: _mode, authorRole, old: _old, ...draft } = message;
    const { roomId, authorId } = draft;
    const epoch = eventLog.epoch();
    const feed = await options.findFeed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    await contact.requireConversation(feed.state, authorId);
    const people = await profiles.byIds([authorId]);
    const allowedAt = feed.position;
    const { mentions, mentionsAll, html } = await findMentioned(feed.state, verdict, authorId);
    await eventLog.append({
      ...draft,
      feed,
      actor: { userId: authorId, role: authorRole },
      sessionId: undefined,
      allowedAt,
      epoch,
      admittedMs: performance.now(),
      // Nobody retries a message that was accepted already.
      isOpen: () => true,
      sender: people.get(authorId) ?? unknownProfile(authorId),
      html,
      mentions,
      mentionsAll,
      flag,
    });
  }

  /** Replaces the plain text by the rendered form, unless the message was edited or deleted since it was sent. */
  async function render(message: Unmoderated, verdict: Verdict, flag: Flag | undefined): Promise<void> {
    const { messageId, roomId, authorId } = message;
    await eventLog.transact(roomId, async ({ tx, state }) => {
      const row = await lockRow(tx, { roomId, messageId });
      if (!row && !message.old) throw notThereYet();
      if (!row || row.deletedAt !== null || row.editedAt !== null || row.text !== message.text)
        return { events: [], answer: undefined };
      const rendered = await findMentioned(state, verdict, authorId);
      await storeRendering(tx, { roomId, seq: row.seq }, rendered);
      await options.queuePreviews(tx, { roomId, messageId, html: rendered.html, marks: row.marks });
      if (flag) await recordFlag(tx, { roomId, messageId, authorId }, flag);
      // The event brings no new version: it shows the first one in its new form.
      const shown = await options.snapshot(tx, { id: messageId, marks: row.marks });
      const data = { versionSeq: row.seq, editedAt: null, ...(shown ? { shown } : {}) };
      return { events: [{ type: 'message.updated', actorId: authorId, messageId, data }], answer: undefined };
    });
  }

  async function removeDelivered({ messageId, roomId, authorId, old }: Unmoderated): Promise<void> {
    await eventLog.transact(roomId, async (context) => {
      const events = await withdraw(context, { roomId, messageId }, authorId);
      if (events.length === 0 && !old && !(await hasMessage(context.tx, messageId))) throw notThereYet();
      return { events, answer: undefined };
    });
  }

  function tellAuthor(
    { roomId, clientId, messageId, authorId }: Unmoderated,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>>,
  ): void {
    const notice = { type: 'notice', code, message, roomId, clientId, messageId, ...details };
    options.signalUser(authorId, JSON.stringify(notice));
  }

  return { settle, tellAuthor };
}

/** An instance keeps an `open` message before it appends it: the append may still be under way. */
function notThereYet(): Failure {
  return new Failure('unavailable', 'the message is not there yet');
}
