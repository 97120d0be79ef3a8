/** Messages that their author writes now and Parley sends later. What may be said is decided when it is sent. */
import { createSerial } from '../../concurrency/serial.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import { checkDraft } from '../state/message-draft.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import {
  changeScheduled,
  countOwed,
  deleteScheduled,
  deleteScheduledOf,
  exportScheduled,
  findByKey,
  insertScheduled,
  listScheduled,
  lockScheduled,
  type Scheduled,
  type ScheduledDraft,
  type ScheduledState,
} from './scheduled-repository.ts';

export interface ScheduledChange {
  readonly text?: string;
  readonly attachmentIds?: string[];
  /** RFC 3339. */
  readonly sendAt?: string;
}

export interface ScheduledService {
  /** In the order in which they are sent. @param state default: all that are not sent */
  readonly list: (author: Actor, state: ScheduledState | undefined) => Promise<Scheduled[]>;
  /**
   * @returns the message; the first one if the clientId was used for the same message and time before
   * @throws Failure `not_found`, `forbidden`, `invalid`, `too_large`, `conflict`
   */
  readonly create: (
    author: Actor,
    place: { readonly roomId: string; readonly clientId: string },
    draft: ScheduledDraft,
    sendAt: string,
  ) => Promise<{ readonly scheduled: Scheduled; readonly duplicate: boolean }>;
  /**
   * Changes a message that is not being sent yet. One that was refused waits again, and needs a new time.
   * @throws Failure `not_found`, `conflict` once it is being sent
   */
  readonly change: (author: Actor, id: string, change: ScheduledChange) => Promise<Scheduled>;
  /** Cancels a message, or takes a finished one off the list. @throws Failure `not_found`, `conflict` while it is being sent */
  readonly remove: (author: Actor, id: string) => Promise<void>;
}

export interface ScheduledOptions {
  readonly db: Database;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /** Tells the author's devices of the message as it is now. */
  readonly announce: (message: Scheduled) => void;
  readonly announceRemoved: (message: Scheduled) => void;
  /** Postgres' clock, milliseconds. */
  readonly nowMs: () => number;
  readonly settings: {
    /** Messages of one author that are still to be sent. */
    readonly perUser: number;
    /** Milliseconds from now that a message may be away. */
    readonly ahead: number;
    /** Code points. */
    readonly maxLength: number;
  };
}

export function createScheduledService(options: ScheduledOptions): ScheduledService {
  const { db, follow, announce, nowMs, settings } = options;
  const serial = createSerial();

  function requireSendAt(sendAt: string): Date {
    const time = new Date(sendAt);
    const aheadMs = time.getTime() - nowMs();
    if (aheadMs <= 0) throw invalid('/sendAt', 'is in the past');
    if (aheadMs > settings.ahead)
      throw invalid('/sendAt', `at most ${Math.floor(settings.ahead / 86_400_000)} days from now`);
    return time;
  }

  async function create(
    author: Actor,
    place: { readonly roomId: string; readonly clientId: string },
    draft: ScheduledDraft,
    sendAt: string,
  ): Promise<{ readonly scheduled: Scheduled; readonly duplicate: boolean }> {
    const { userId: authorId } = author;
    const { state } = await follow(place.roomId);
    state.require(author, 'post');
    const key = { authorId, ...place };
    // Refuses early what the send would refuse in any case.
    const { digest } = checkDraft(authorId, { ...place, ...draft }, settings.maxLength);
    const store = async (tx: Transaction) => {
      // One write of an author at a time, so that the bound and the key hold; and none after the account was erased.
      await lockAccount(tx, authorId, 'no key update');
      const first = await findByKey(tx, key);
      if (first) return { scheduled: requireSame(first, digest, sendAt), duplicate: true };
      const time = requireSendAt(sendAt);
      await requireRoom(tx, authorId);
      const scheduled = await insertScheduled(tx, { id: newId(), ...key, draft, sendAt: time });
      return { scheduled, duplicate: false };
    };
    const answer = await serial(authorId, () => db.transaction(store));
    if (!answer.duplicate) announce(answer.scheduled);
    return answer;
  }

  /** @throws Failure `conflict` at the bound */
  async function requireRoom(tx: Transaction, authorId: string): Promise<void> {
    if ((await countOwed(tx, authorId)) >= settings.perUser)
      throw new Failure('conflict', `at most ${settings.perUser} scheduled messages; cancel one first`);
  }

  /** @throws Failure `conflict` when the clientId was used for another message or time */
  function requireSame(first: Scheduled, digest: bigint, sendAt: string): Scheduled {
    const { authorId, roomId, clientId, draft } = first;
    const stored = checkDraft(authorId, { roomId, clientId, ...draft }, Number.MAX_SAFE_INTEGER);
    if (stored.digest !== digest || first.sendAt.getTime() !== new Date(sendAt).getTime())
      throw new Failure('conflict', 'this clientId was used for another message');
    return first;
  }

  async function change(author: Actor, id: string, { sendAt, ...content }: ScheduledChange): Promise<Scheduled> {
    const change = async (tx: Transaction) => {
      // Before the message, as when one is created.
      await lockAccount(tx, author.userId, 'no key update');
      const current = requireChangeable(await lockScheduled(tx, author.userId, id));
      if (current.state === 'refused' && sendAt === undefined)
        throw invalid('/sendAt', 'a message that was refused needs a new time');
      // It is owed again.
      if (current.state === 'refused') await requireRoom(tx, author.userId);
      const draft = { ...current.draft, ...content };
      const { authorId, roomId, clientId } = current;
      checkDraft(authorId, { roomId, clientId, ...draft }, settings.maxLength);
      const isSameTime = sendAt !== undefined && new Date(sendAt).getTime() === current.sendAt.getTime();
      const isKept = sendAt === undefined || (isSameTime && current.state === 'waiting');
      return changeScheduled(tx, id, { draft, sendAt: isKept ? current.sendAt : requireSendAt(sendAt) });
    };
    const changed = await serial(author.userId, () => db.transaction(change));
    announce(changed);
    return changed;
  }

  function requireChangeable(current: Scheduled | undefined): Scheduled {
    const found = requireFound(current);
    if (found.state === 'sending') throw new Failure('conflict', 'it is being sent');
    if (found.state === 'sent') throw new Failure('conflict', 'it was sent');
    return found;
  }

  async function remove(author: Actor, id: string): Promise<void> {
    const removed = await db.transaction(async (tx) => {
      const current = requireFound(await lockScheduled(tx, author.userId, id));
      if (current.state === 'sending') throw new Failure('conflict', 'it is being sent');
      await deleteScheduled(tx, id);
      return current;
    });
    options.announceRemoved(removed);
  }

  return { list: ({ userId }, state) => listScheduled(db, userId, state), create, change, remove };
}

function requireFound(current: Scheduled | undefined): Scheduled {
  if (!current) throw new Failure('not_found', 'no such scheduled message');
  return current;
}

export function createScheduledData(db: Database): PersonalData {
  return {
    name: 'scheduled messages',
    cut: (tx, { userId }) => deleteScheduledOf(tx, userId),
    exports: { scheduled: onePage((userId) => exportScheduled(db, userId)) },
  };
}
