/** Threads as one of their readers sees them: whether they follow a thread, how far they have read it, and what is unread. */
import { coalesce } from '../../concurrency/coalesce.ts';
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Message } from '../state/message-shape.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type {
  FollowedThread,
  ThreadMark,
  ThreadPosition,
  ThreadReader,
  ThreadRepository,
  ThreadState,
} from './thread-repository.ts';

/** A message: of the thread, or the one that starts it. */
export interface ThreadPlace {
  readonly roomId: string;
  readonly messageId: string;
}

/** A thread in the list of threads that a user follows. */
export interface ListedThread extends ThreadState {
  readonly roomId: string;
  readonly room: { readonly id: string; readonly kind: 'room' | 'dm'; readonly name: string };
  /** The message that starts the thread, with `thread`. */
  readonly message: Message;
  /** Of the thread's newest message. */
  readonly lastSeq: number;
  readonly activeAtMs: number;
}

export interface ThreadService {
  /** For members; nothing is unread for others who may read the room. @throws Failure `not_found` */
  readonly find: (actor: Actor, place: ThreadPlace) => Promise<ThreadState>;
  /** Moves the caller's marker to `seq`, unless it is further already. @throws Failure `not_found`, `forbidden` */
  readonly markRead: (actor: Actor, place: ThreadPlace, seq: number) => Promise<ThreadState>;
  /** @throws Failure `not_found`, `forbidden` */
  readonly setFollowing: (actor: Actor, place: ThreadPlace, following: boolean) => Promise<ThreadState>;
  /** The threads that the user follows, newest activity first; one more than a page where there is one. */
  readonly list: (
    userId: string,
    page: { readonly unreadOnly: boolean; readonly after: ThreadPosition | undefined; readonly limit: number },
  ) => Promise<ListedThread[]>;
}

export interface ThreadServiceOptions {
  readonly repository: ThreadRepository;
  readonly hub: Pick<Hub<RoomState>, 'signalUser'>;
  /** A room at its head as of now, for somebody who may read it. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  /** The message that starts the thread of a message, which may be the message itself. Absent if deleted before any reply. */
  readonly findThread: (
    roomId: string,
    messageId: string,
  ) => Promise<{ threadId: string; seq: number; authorId: string } | undefined>;
  /** Messages at these places, in any order; absent ones are left out. */
  readonly findMessages: (userId: string, places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  readonly nameRoom: (
    room: { readonly kind: 'room' | 'dm'; readonly name: string },
    others: readonly string[],
  ) => Promise<string>;
}

/** Marks stored at once. */
const batchMax = 256;

export function createThreadService(options: ThreadServiceOptions): ThreadService {
  const { repository, hub, followToRead, findThread, findMessages, nameRoom } = options;
  const storeMark = coalesce((marks: readonly ThreadMark[]) => storeFurthest(marks, repository.markRead), { batchMax });

  /** @throws Failure `not_found` */
  async function enter(actor: Actor, { roomId, messageId }: ThreadPlace) {
    const feed = await followToRead(actor, roomId);
    const thread = await findThread(roomId, messageId);
    if (!thread || thread.seq < feed.state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
    return { feed, threadId: thread.threadId, isAuthor: thread.authorId === actor.userId };
  }

  /** For what only members have. @throws Failure `not_found`, `forbidden` */
  async function enterAsMember(actor: Actor, place: ThreadPlace) {
    const { feed, threadId, isAuthor } = await enter(actor, place);
    feed.state.require(actor, 'post');
    const { joinedSeq } = feed.state.members.get(actor.userId)!;
    const reader: ThreadReader = { threadId, roomId: place.roomId, userId: actor.userId, joinedSeq };
    return { reader, isAuthor, position: feed.position };
  }

  /** All devices of the user agree. */
  function tellDevices({ userId, roomId }: ThreadReader, state: ThreadState): ThreadState {
    hub.signalUser(userId, JSON.stringify({ type: 'thread.updated', roomId, data: { userId, ...state } }));
    return state;
  }

  return {
    find: async (actor, place) => {
      const { feed, threadId } = await enter(actor, place);
      const joinedSeq = feed.state.members.get(actor.userId)?.joinedSeq;
      if (joinedSeq === undefined) return { threadId, following: false, lastReadSeq: 0, unread: 0, mentions: 0 };
      return repository.find({ threadId, roomId: place.roomId, userId: actor.userId, joinedSeq });
    },
    markRead: async (actor, place, seq) => {
      const { reader, isAuthor, position } = await enterAsMember(actor, place);
      return tellDevices(reader, await storeMark({ ...reader, isAuthor, seq: Math.min(seq, position) }));
    },
    setFollowing: async (actor, place, following) => {
      const { reader, position } = await enterAsMember(actor, place);
      return tellDevices(reader, await repository.setFollowing({ ...reader, seq: position }, following));
    },
    list: async (userId, page) => {
      const found = await repository.list(userId, page);
      const roots = await findMessages(
        userId,
        found.map(({ roomId, rootSeq }) => ({ roomId, seq: rootSeq })),
      );
      const byId = new Map(roots.map((message) => [message.id, message]));
      const listed = found.map(async (thread) => {
        const message = byId.get(thread.threadId);
        return message ? [await toListed(thread, message, nameRoom)] : [];
      });
      return (await Promise.all(listed)).flat();
    },
  };
}

async function toListed(
  { kind, roomName, others, rootSeq: _root, ...thread }: FollowedThread,
  message: Message,
  nameRoom: ThreadServiceOptions['nameRoom'],
): Promise<ListedThread> {
  const name = await nameRoom({ kind, name: roomName }, others);
  return { ...thread, room: { id: thread.roomId, kind, name }, message };
}

/**
 * One statement for each user and thread, with the furthest mark. Not one statement for all: it would lock several rows that
 * a group commit may lock in another order.
 */
async function storeFurthest(
  marks: readonly ThreadMark[],
  store: ThreadRepository['markRead'],
): Promise<ThreadState[]> {
  const keyOf = ({ userId, threadId }: ThreadMark) => `${userId} ${threadId}`;
  const furthest = new Map<string, ThreadMark>();
  for (const mark of marks) if ((furthest.get(keyOf(mark))?.seq ?? -1) < mark.seq) furthest.set(keyOf(mark), mark);
  const stored = await Promise.all([...furthest].map(async ([key, mark]) => [key, await store(mark)] as const));
  const states = new Map(stored);
  return marks.map((mark) => states.get(keyOf(mark))!);
}
