/**
 * May this author post this draft in this room, as far as this instance knows? Refuses early what would be refused at
 * the append; the append checks again at its seq. docs/internals/send-admission.md explains the races.
 */
import { clientGone, Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { type Contact, isPair } from '../membership/contact.ts';
import type { AdmittedDraft, CheckedDraft } from '../state/message-draft.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { MessageRepository } from './message-repository.ts';
import type { SendOrder } from './send-order.ts';

/** The author of a send, and their login. */
export interface Sender extends Actor {
  readonly sessionId: string | undefined;
}

/** The connection that a send arrived on. */
export interface Origin {
  /** Keeps its sends to a room in order. */
  readonly order: SendOrder;
  /** Whether the client is still there to get the answer, as far as is known. */
  readonly isOpen: () => boolean;
}

export interface SendAdmission {
  /** @throws Failure `not_found`, `forbidden`, `muted`, `slow_mode`, `unavailable` (client gone) */
  readonly admit: (sender: Sender, draft: CheckedDraft, origin: Origin) => Promise<AdmittedDraft>;
}

export interface SendAdmissionOptions {
  /** A room in memory, as of some recent position. */
  readonly loadedFeed: (roomId: string) => Feed<RoomState> | undefined;
  /** A room as of some recent position, loaded when needed. */
  readonly findFeed: (roomId: string) => Promise<Feed<RoomState> | undefined>;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  readonly contact: Pick<Contact, 'requireConversation'>;
  readonly repository: Pick<MessageRepository, 'find' | 'findThread'>;
  /** The log as of now: see realtime/cluster/log-epoch.ts. */
  readonly epoch: () => string;
  /** Postgres' clock, milliseconds. */
  readonly nowMs: () => number;
  /** If the check takes longer than this, rights gained during it do not count. */
  readonly admissionMs: number;
}

export function createSendAdmission(options: SendAdmissionOptions): SendAdmission {
  const { loadedFeed, findFeed, follow, contact, repository, nowMs } = options;

  async function admit(sender: Sender, draft: CheckedDraft, { order, isOpen }: Origin): Promise<AdmittedDraft> {
    const admittedMs = performance.now();
    const epoch = options.epoch();
    const knownPosition = loadedFeed(draft.roomId)?.position ?? 0;
    const found = requirePost(sender, draft.roomId);
    const feed = await found;
    // If the room had to be read, the client may have given up, been refused for certain by another instance, and only
    // then gained the right. Yield once: a close that arrived before the answer of Postgres is processed first.
    if (found instanceof Promise) await new Promise(setImmediate);
    if (!isOpen()) {
      const refusal = clientGone();
      order.abandon(refusal);
      throw refusal;
    }
    // So late that another instance may have refused the retry: rights gained since then do not count for this send.
    const isLate = performance.now() - admittedMs > options.admissionMs;
    const allowedAt = isLate ? knownPosition : feed.position;
    if (isPair(feed.state)) await contact.requireConversation(feed.state, sender.userId);
    if (draft.replyTo !== null) await requireReplyTarget(feed, sender, draft.replyTo);
    const threadId = draft.threadId === null ? null : await requireThread(feed, sender, draft.threadId);
    return {
      ...draft,
      threadId,
      feed,
      actor: sender,
      sessionId: sender.sessionId,
      allowedAt,
      epoch,
      admittedMs,
      isOpen,
    };
  }

  /** No promise if memory allows it, which is the common case. A refusal by memory is checked against the log first. */
  function requirePost(sender: Sender, roomId: string): Feed<RoomState> | Promise<Feed<RoomState>> {
    const feed = loadedFeed(roomId);
    return feed && mayPost(feed, sender) ? feed : requirePostNow(sender, roomId);
  }

  async function requirePostNow(sender: Sender, roomId: string): Promise<Feed<RoomState>> {
    const feed = await findFeed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    if (mayPost(feed, sender)) return feed;
    const current = await follow(roomId);
    current.state.requirePost(sender, nowMs());
    return current;
  }

  function mayPost(feed: Feed<RoomState>, sender: Sender): boolean {
    try {
      feed.state.requirePost(sender, nowMs());
      return true;
    } catch {
      return false;
    }
  }

  async function requireReplyTarget(feed: Feed<RoomState>, actor: Actor, messageId: string): Promise<void> {
    const target = await repository.find(feed.roomId, messageId);
    if (!target || target.deletedAt || target.seq < feed.state.firstReadable(actor)) {
      throw new Failure('not_found', 'the message replied to is not in this room', {
        errors: [{ path: '/replyTo', message: 'not a message of this room' }],
      });
    }
  }

  /** A reply to a message of a thread joins the same thread. @returns the message that starts the thread */
  async function requireThread(feed: Feed<RoomState>, actor: Actor, messageId: string): Promise<string> {
    const thread = await repository.findThread(feed.roomId, messageId);
    if (!thread || thread.seq < feed.state.firstReadable(actor)) {
      throw new Failure('not_found', 'the thread is not in this room', {
        errors: [{ path: '/threadId', message: 'not a message of this room' }],
      });
    }
    return thread.threadId;
  }

  return { admit };
}
