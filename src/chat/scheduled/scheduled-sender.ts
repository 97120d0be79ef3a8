/**
 * Sends scheduled messages when they are due, through the way of any other send: admitted, judged and appended as of then.
 *
 * A message is sent once. It has the clientId that its author gave it, and the log takes a clientId once: a worker that
 * repeats the send of one that died gets the first message as its answer. So a claim needs only to be rare, not exact, and
 * a kill at any step costs the time of the claim (docs/conversation/scheduled-messages.md).
 */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import { Failure, type FailureCode, toFailure } from '../../errors.ts';
import type { MessageService } from '../messages/message-service.ts';
import { SendOrder } from '../messages/send-order.ts';
import type { ClaimEnd, ClaimedMessage, Scheduled } from './scheduled-repository.ts';

export interface ScheduledSenderOptions {
  /** Reserves due messages for this instance. */
  readonly claim: () => Promise<ClaimedMessage[]>;
  /** @returns undefined if another instance has taken over */
  readonly endClaim: (message: ClaimedMessage, end: ClaimEnd) => Promise<Scheduled | undefined>;
  /** Deletes messages that were sent or refused long ago. */
  readonly forgetFinished: () => Promise<void>;
  readonly send: MessageService['send'];
  /** Whether the deployment bans the user, as of now. */
  readonly isBanned: (userId: string) => Promise<boolean>;
  /** Tells the author's devices of the message as it is now. */
  readonly announce: (message: Scheduled) => void;
  readonly signalUser: (userId: string, json: string) => void;
  readonly logger: Logger;
  /** Milliseconds between looks for messages whose job was lost, or whose worker died. */
  readonly pollMs: number;
}

export interface ScheduledSender {
  /** Sends everything that is due. The job of a message calls it at its time. */
  readonly sendDue: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const pauseMs = { default: 5000, min: 1000, max: 60_000 };
/** After these the message may be stored: its author can no longer change it. */
const uncertain: ReadonlySet<FailureCode> = new Set(['outcome_unknown', 'internal']);

export function startScheduledSender(options: ScheduledSenderOptions): ScheduledSender {
  const { claim, endClaim, send, isBanned, announce, signalUser, logger } = options;
  let stopping = false;

  async function sendDue(): Promise<void> {
    while (!stopping) {
      const claimed = await claim();
      if (claimed.length === 0) return;
      await Promise.all(claimed.map(sendOne));
    }
  }

  async function sendOne(message: ClaimedMessage): Promise<void> {
    const end = await trySend(message);
    const now = await endClaim(message, end);
    if (!now || (now.state !== 'sent' && now.state !== 'refused')) return;
    announce(now);
    if (end.state === 'refused') tellAuthor(message, end.failure);
  }

  async function trySend(message: ClaimedMessage): Promise<ClaimEnd> {
    const { authorId: userId, authorRole: role, roomId, clientId, draft } = message;
    try {
      if (await isBanned(userId)) throw new Failure('banned', 'you are banned');
      const origin = { order: new SendOrder(), isOpen: () => true };
      const { messageId } = await send({ userId, role, sessionId: undefined }, { ...draft, roomId, clientId }, origin);
      return { state: 'sent', messageId };
    } catch (error) {
      const failure = toFailure(error);
      if (failure.code === 'internal') logger.error({ error, scheduledId: message.id }, 'a scheduled send failed');
      const isUncertain = uncertain.has(failure.code) || (message.maybeSent && failure.kind.retryable);
      if (!failure.kind.retryable || (message.isLast && !isUncertain))
        return { state: 'refused', failure: { code: failure.code, message: failure.message } };
      const { retryAfterMs = pauseMs.default } = failure;
      return {
        state: isUncertain ? 'sending' : 'waiting',
        pauseMs: Math.min(Math.max(retryAfterMs, pauseMs.min), pauseMs.max),
      };
    }
  }

  function tellAuthor({ id, authorId, roomId, clientId }: ClaimedMessage, failure: { code: string; message: string }) {
    const text = `a scheduled message was refused: ${failure.message}`;
    const notice = { type: 'notice', code: failure.code, message: text, roomId, clientId, scheduledId: id };
    signalUser(authorId, JSON.stringify(notice));
  }

  const poller = startPoller({
    work: async () => {
      await sendDue();
      await options.forgetFinished();
    },
    everyMs: options.pollMs,
    onError: (error) => logger.debug({ error }, 'scheduled messages could not be read'),
  });

  return {
    sendDue,
    stop: async () => {
      stopping = true;
      poller.stop();
      await poller.settled();
    },
  };
}
