/** Makes a message that is still empty part of its room's log. Its text follows in pieces. */
import { newId } from '../../database/new-id.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import type { MessageRepository } from '../messages/message-repository.ts';
import {
  createSendAdmission,
  type Origin,
  type SendAdmissionOptions,
  type Sender,
} from '../messages/send-admission.ts';
import type { CheckedDraft, SendOutcome } from '../state/message-draft.ts';
import { unknownProfile } from '../state/message-shape.ts';
import { contentDigest } from '../state/message-text.ts';

export interface StreamDraft {
  readonly roomId: string;
  readonly clientId: string;
  readonly replyTo?: string;
  readonly threadId?: string;
  readonly alsoInRoom?: boolean;
}

/**
 * @returns the message's place; the first one when the clientId was used for the same draft before
 * @throws Failure as a send does, without `message_blocked`: there is no text yet
 */
export type StartStream = (sender: Sender, draft: StreamDraft, origin: Origin) => Promise<SendOutcome>;

export interface StreamStartOptions extends Omit<SendAdmissionOptions, 'nowMs' | 'epoch'> {
  readonly eventLog: Pick<EventLog, 'append' | 'nowMs' | 'epoch'>;
  readonly repository: Pick<MessageRepository, 'find' | 'findThread' | 'findKey'>;
  readonly profiles: Profiles;
}

export function createStreamStart(options: StreamStartOptions): StartStream {
  const { eventLog, repository, profiles } = options;
  const admission = createSendAdmission({ ...options, nowMs: eventLog.nowMs, epoch: eventLog.epoch });

  async function append(sender: Sender, draft: CheckedDraft, origin: Origin): Promise<SendOutcome> {
    const admitted = await admission.admit(sender, draft, origin);
    const people = await profiles.byIds([sender.userId]);
    return eventLog.append({
      ...admitted,
      sender: people.get(sender.userId) ?? unknownProfile(sender.userId),
      html: '',
      mentions: [],
      mentionsAll: null,
      flag: undefined,
    });
  }

  return async (sender, draft, origin) => {
    const checked = checkStart(sender.userId, draft);
    try {
      return await append(sender, checked, origin);
    } catch (refusal) {
      // A stored message stays stored: a retry gets the first answer, even if its author is muted now.
      const isFinal = refusal instanceof Failure && refusal.code !== 'unavailable';
      const first = isFinal ? await repository.findKey(checked.roomId, checked.authorId, checked.clientId) : undefined;
      if (!first) throw refusal;
      if (first.digest !== checked.digest) throw new Failure('conflict', 'this clientId was used for another message');
      return { messageId: first.messageId, seq: first.seq, atMs: first.atMs, duplicate: true };
    }
  };
}

function checkStart(authorId: string, { roomId, clientId, alsoInRoom = false, ...draft }: StreamDraft): CheckedDraft {
  const [replyTo, threadId] = [draft.replyTo ?? null, draft.threadId ?? null];
  if (alsoInRoom && threadId === null) throw invalid('/alsoInRoom', 'only with threadId');
  const digest = contentDigest('', replyTo, { threadId, alsoInRoom, stream: true });
  const key = { messageId: newId(), roomId, authorId, clientId, digest };
  return { ...key, text: '', replyTo, threadId, alsoInRoom, parts: { stream: true } };
}
