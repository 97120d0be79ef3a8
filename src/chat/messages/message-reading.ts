/** Reads messages for people who may see them: one message, pages of history, threads and earlier versions. */
import { readAfterCommit } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { toExtras, unvoted } from '../state/message-extras.ts';
import type { Message } from '../state/message-shape.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { type HistoryPages, pageJson } from './history-pages.ts';
import type { HistoryScope, JsonPage, MessageEdit, MessageRepository, Page } from './message-repository.ts';
import type { OwnVotes } from './own-votes.ts';

/** At most one of `before`, `after` and `around`; none means the newest. */
export interface HistoryRange {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
  readonly limit: number;
  /** Default: the room's own history, without messages that are in a thread alone. */
  readonly scope?: HistoryScope;
}

/** The messages of a room without those that are in a thread alone. */
const ownHistory: HistoryScope = { threads: 'none' };

export interface MessageReading {
  /** A message that its author just sent. They see it even if they may not read the room any more. */
  readonly findStored: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /** The same for a repeated send, at any later time: without what others added, if the author may not read the room any more. */
  readonly findRepeated: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /**
   * Messages that this user may read, which the caller has checked.
   * @returns those that are there, in any order
   */
  readonly findAt: (
    userId: string,
    places: readonly { readonly roomId: string; readonly seq: number }[],
  ) => Promise<Message[]>;
  /** Without what only this reader sees of it. @param feed the room, followed for this reader. @throws Failure `not_found` */
  readonly findIn: (feed: Feed<RoomState>, actor: Actor, messageId: string) => Promise<Message>;
  /** @throws Failure `not_found` */
  readonly find: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /**
   * The same for an act that is recorded, such as a report. Staff may act on a reported message without reading the rest
   * of the room.
   */
  readonly findToActOn: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /** @returns the JSON of a `MessagePage`, in seq order */
  readonly history: (actor: Actor, roomId: string, range: HistoryRange) => Promise<Buffer>;
  /** The same of the thread that a message is in or starts. @throws Failure `not_found` */
  readonly thread: (
    actor: Actor,
    place: { readonly roomId: string; readonly messageId: string },
    range: Omit<HistoryRange, 'scope'>,
  ) => Promise<Buffer>;
  readonly replies: (
    actor: Actor,
    roomId: string,
    messageId: string,
    after: number,
    limit: number,
  ) => Promise<Page & { seq: number }>;
  /** Earlier versions, from number `from` on. */
  readonly edits: (
    actor: Actor,
    roomId: string,
    messageId: string,
    from: number,
    limit: number,
  ) => Promise<MessageEdit[]>;
}

export interface MessageReadingOptions {
  readonly repository: MessageRepository;
  readonly pages: HistoryPages;
  readonly ownVotes: OwnVotes;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /** The same for somebody who may read there. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  /** A room in memory, as of some recent position. */
  readonly loadedFeed: (roomId: string) => Feed<RoomState> | undefined;
}

export function createMessageReading(options: MessageReadingOptions): MessageReading {
  const { repository, pages, ownVotes, follow, followToRead, loadedFeed } = options;

  async function findIn(feed: Feed<RoomState>, actor: Actor, messageId: string): Promise<Message> {
    const message = await repository.find(feed.roomId, messageId);
    if (!message || message.seq < feed.state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
    return message;
  }

  async function forActor(actor: Actor, message: Message): Promise<Message> {
    return message.poll ? (await ownVotes.inMessages(actor, [message]))[0]! : message;
  }

  async function find(actor: Actor, roomId: string, messageId: string): Promise<Message> {
    return forActor(actor, await findIn(await followToRead(actor, roomId), actor, messageId));
  }

  async function findToActOn(actor: Actor, roomId: string, messageId: string): Promise<Message> {
    const { state } = await follow(roomId);
    if (state.standingOf(actor) !== 'staff') return find(actor, roomId, messageId);
    const message = await repository.find(roomId, messageId);
    if (!message) throw new Failure('not_found', 'no such message');
    return message;
  }

  async function findStored(actor: Actor, roomId: string, messageId: string): Promise<Message> {
    const message = await readAfterCommit(repository.find(roomId, messageId));
    if (!message) throw new Failure('outcome_unknown', 'the message is not there any more', { retryAfterMs: 1000 });
    return forActor(actor, message);
  }

  async function findRepeated(actor: Actor, roomId: string, messageId: string): Promise<Message> {
    // Before the message is read: what is added after the check may not follow a removal.
    const from = await followToRead(actor, roomId).then(
      ({ state }) => state.firstReadable(actor),
      (error: unknown) => {
        if (error instanceof Failure && !error.kind.retryable) return Number.POSITIVE_INFINITY;
        throw error;
      },
    );
    const message = await findStored(actor, roomId, messageId);
    return message.seq < from ? asSent(message) : message;
  }

  async function history(actor: Actor, roomId: string, range: HistoryRange): Promise<Buffer> {
    return ownVotes.inPage(actor, await readPage(actor, roomId, range));
  }

  /** The page as all its readers get it. */
  async function readPage(actor: Actor, roomId: string, range: HistoryRange): Promise<Buffer> {
    const { before, after, around, limit, scope = ownHistory } = range;
    const isNewest = before === undefined && after === undefined && around === undefined && scope === ownHistory;
    if (isNewest && !loadedFeed(roomId) && !pages.isInUse(roomId)) {
      const page = await pages.forMember(roomId, actor.userId, limit);
      if (page) return page;
    }
    const feed = await followToRead(actor, roomId);
    const from = feed.state.firstReadable(actor);
    // The right to read was checked up to here. A message that is appended while the page is read may follow a removal.
    const head = feed.position;
    if (isNewest) return pages.newest(roomId, head, from, limit);
    const older = { before: Math.min(before ?? around ?? head + 1, head + 1), head, from, limit, scope };
    const newer = { after: Math.max(after ?? (around ?? 1) - 1, from - 1), to: head, limit, scope };
    if (after !== undefined) return pageJson({ ...(await repository.after(roomId, newer)), seq: head });
    if (around === undefined) return pageJson({ ...(await repository.before(roomId, older)), seq: head });
    const both = await Promise.all([repository.before(roomId, older), repository.after(roomId, newer)]);
    return pageJson({ ...pageAround(...both, limit), seq: head });
  }

  async function thread(
    actor: Actor,
    { roomId, messageId }: { readonly roomId: string; readonly messageId: string },
    range: Omit<HistoryRange, 'scope'>,
  ): Promise<Buffer> {
    const { state } = await followToRead(actor, roomId);
    const found = await repository.findThread(roomId, messageId);
    if (!found || found.seq < state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
    return history(actor, roomId, { ...range, scope: { threadId: found.threadId } });
  }

  return {
    findStored,
    findRepeated,
    findAt: async (userId, places) => ownVotes.inMessages({ userId, role: 'user' }, await repository.bySeqs(places)),
    findIn,
    find,
    findToActOn,
    history,
    thread,
    replies: async (actor, roomId, messageId, after, limit) => {
      const feed = await followToRead(actor, roomId);
      await findIn(feed, actor, messageId);
      const from = Math.max(after, feed.state.firstReadable(actor) - 1);
      const page = await repository.replies(roomId, messageId, from, feed.position, limit);
      return { ...page, messages: await ownVotes.inMessages(actor, page.messages), seq: feed.position };
    },
    edits: async (actor, roomId, messageId, from, limit) => {
      const message = await find(actor, roomId, messageId);
      return message.deletedAt ? [] : repository.edits(messageId, from, limit);
    },
  };
}

/** The message without what others added to it, and without its files: a former member may not fetch them. */
function asSent({ threadId, mentionsAll, alsoInRoom, poll, ...message }: Message): Message {
  const { id, roomId, seq, sender, text, html, mentions, replyTo, clientId, createdAt, editedAt, deletedAt } = message;
  return {
    ...{ id, roomId, seq, sender, text, html, mentions, replyTo, replyCount: 0 },
    ...toExtras({ threadId, mentionsAll, ...(alsoInRoom && { alsoInRoom }), ...(poll && { poll: unvoted(poll) }) }),
    ...{ clientId, createdAt, editedAt, deletedAt },
  };
}

/** `limit` messages around the middle, half of them older. If one side has too few, the other side fills the page. */
export function pageAround(older: JsonPage, newer: JsonPage, limit: number): JsonPage {
  const newerCount = Math.max(Math.ceil(limit / 2), limit - older.messages.length);
  const right = newer.messages.slice(0, newerCount);
  const left = older.messages.slice(Math.max(0, older.messages.length - (limit - right.length)));
  const leftOut = newer.messages.length > right.length || older.messages.length > left.length;
  return { messages: [...left, ...right], hasMore: leftOut || older.hasMore || newer.hasMore };
}
