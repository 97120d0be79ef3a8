/**
 * A message's way through the system: check, admit, moderate, append, answer. The event log announces the message after
 * its commit. Text is judged before it is stored, so text without a verdict never has a seq and never leaves a gap.
 */
import { Failure } from '../../errors.ts';
import type { FallbackMode } from '../../processing/client/processing-client.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import type { EventLog } from '../events/event-log.ts';
import { isPair } from '../membership/contact.ts';
import { type CheckedDraft, checkDraft, type Draft, type SendOutcome } from '../state/message-draft.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RecordRefusal } from '../state/verdict-records.ts';
import { BlockedText, createBlockedRecorder } from './blocked-text.ts';
import { createCopyModeration } from './copy-moderation.ts';
import { createDraftModeration } from './draft-moderation.ts';
import { createMessageChanges, type MessageChanges, type MessageChangesOptions } from './message-changes.ts';
import { createMessageReading, type MessageReading, type MessageReadingOptions } from './message-reading.ts';
import type { ModerationRetryRepository } from './moderation-retry-repository.ts';
import { createPartsModeration, withParts } from './parts-moderation.ts';
import { createSendAdmission, type Origin, type SendAdmissionOptions, type Sender } from './send-admission.ts';
import { createSenderRecords } from './sender-records.ts';

export interface MessageService extends MessageReading, MessageChanges {
  /**
   * Makes one message part of its room's log, or refuses it whole. A crash can delay a live delivery (readers catch up
   * by seq) but never lose an acked message or give it two seqs.
   * @returns the stored message's place; the first answer when the clientId was used for the same content before
   * @throws Failure `not_found`, `forbidden`, `muted`, `slow_mode`, `message_blocked`, `conflict`, `unavailable`, `outcome_unknown`
   */
  readonly send: (sender: Sender, draft: Draft, origin: Origin) => Promise<SendOutcome>;
}

export interface MessageServiceOptions
  extends MessageReadingOptions,
    Omit<SendAdmissionOptions, 'nowMs' | 'epoch' | 'admissionMs'>,
    Omit<MessageChangesOptions, 'eventLog' | 'reading' | 'records' | 'recordBlocked' | 'maxLength'> {
  readonly repository: MessageReadingOptions['repository'];
  readonly contact: MessageChangesOptions['contact'];
  readonly eventLog: Pick<EventLog, 'append' | 'currentFeed' | 'transact' | 'nowMs' | 'epoch'>;
  readonly profiles: Profiles;
  readonly recordRefusal: RecordRefusal;
  /** What features store of messages that have more than a text: their texts are judged too. */
  readonly writers: readonly PartsWriter[];
  /** Keeps messages that got no verdict in time, in the fallback modes that keep them. */
  readonly unmoderated: Pick<ModerationRetryRepository, 'hold' | 'isWaiting'>;
  readonly settings: { readonly maxLength: number; readonly admissionMs: number; readonly fallback: FallbackMode };
}

export function createMessageService(options: MessageServiceOptions): MessageService {
  const { repository, eventLog, contact, profiles, findMentioned, flags, settings } = options;
  const records = createSenderRecords();
  const recordBlocked = createBlockedRecorder(records, options.recordRefusal);
  const admission = createSendAdmission({
    ...options,
    nowMs: eventLog.nowMs,
    epoch: eventLog.epoch,
    admissionMs: settings.admissionMs,
  });
  const moderation = createDraftModeration({
    judge: options.judge,
    records,
    unmoderated: options.unmoderated,
    findFirstAnswer,
    mode: settings.fallback,
  });
  const judgeParts = createPartsModeration({ judge: options.judge, records, writers: options.writers });
  const reading = createMessageReading(options);
  const judgeCopy = createCopyModeration({ judge: options.judge, records, find: reading.find });
  const changes = createMessageChanges({
    ...options,
    records,
    recordBlocked,
    reading,
    maxLength: settings.maxLength,
  });

  async function send(sender: Sender, draft: Draft, origin: Origin): Promise<SendOutcome> {
    const checked = checkDraft(sender.userId, draft, settings.maxLength);
    const place = origin.order.enter(checked.roomId);
    try {
      const admitted = await admission.admit(sender, checked, origin);
      // First: a draft that is kept for a later verdict is not asked about its parts again.
      const judgedParts = checked.parts ? await judgeParts(checked) : undefined;
      const copy = checked.parts?.forward ? await judgeCopy(sender, checked) : undefined;
      const draft = copy?.draft ?? checked;
      const [judged, author] = await Promise.all([moderation.judge(draft), findAuthor(sender.userId)]);
      if (judged.outcome === 'answered') {
        await place.untilFirst();
        return judged.answer;
      }
      const verdict = withParts(judged, judgedParts);
      // A block between two people is not an event, so no append proves it. If the client is gone, its retry may have
      // been refused for a block that has begun since the admission.
      if (isPair(admitted.feed.state) && !origin.isOpen())
        await contact.requireConversation(admitted.feed.state, sender.userId);
      if (verdict.outcome === 'block') throw new BlockedText(verdict);
      const { mentions, mentionsAll, html } =
        verdict.mentions.length === 0
          ? { mentions: [], mentionsAll: null, html: verdict.html }
          : await findMentioned(admitted.feed.state, verdict, sender.userId);
      await place.untilFirst();
      const current = eventLog.currentFeed(admitted.feed);
      const feed = current instanceof Promise ? await current : current;
      // Not awaited: once it is queued, the next send of this connection may join the same batch.
      const { parts } = draft;
      return flags.commit(checked, copy?.verdict?.outcome === 'flag' ? copy.verdict : verdict, (flag) =>
        eventLog.append({ ...admitted, parts, feed, sender: author, html, mentions, mentionsAll, flag }),
      );
    } catch (refusal) {
      // A stored message stays stored: a retry gets the first answer, even if its author is muted now or the engine
      // judges differently now. After `unavailable` the client retries, and gets it then.
      const isFinal = refusal instanceof Failure && refusal.code !== 'unavailable';
      const first = isFinal ? await findFirstAnswer(checked) : undefined;
      if (!first) {
        if (refusal instanceof BlockedText) await recordBlocked(checked, 'message', refusal);
        throw refusal;
      }
      await place.untilFirst();
      return first;
    } finally {
      place.leave();
    }
  }

  /** No promise for the authors that are remembered, which are nearly all. */
  function findAuthor(userId: string): PublicProfile | Promise<PublicProfile> {
    return profiles.remembered(userId) ?? readAuthor(userId);
  }

  async function readAuthor(userId: string): Promise<PublicProfile> {
    const people = await profiles.byIds([userId]);
    return people.get(userId) ?? unknownProfile(userId);
  }

  /** @throws Failure `conflict` when the clientId was used for other content */
  async function findFirstAnswer({
    roomId,
    authorId,
    clientId,
    digest,
  }: CheckedDraft): Promise<SendOutcome | undefined> {
    const first = await repository.findKey(roomId, authorId, clientId);
    if (!first) return undefined;
    if (first.digest !== digest) throw new Failure('conflict', 'this clientId was used for another message');
    return { messageId: first.messageId, seq: first.seq, atMs: first.atMs, duplicate: true };
  }

  return { ...reading, ...changes, send };
}
