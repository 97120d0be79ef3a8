/** One room, for views: what is known of it as live stores, and what may be done in it. */
import { leave } from '../leave.ts';
import type { Outbox, Sent } from '../outbox/outbox.ts';
import type { ParleyClient as Calls } from '../parley-client.ts';
import { ParleyError } from '../parley-error.ts';
import { randomKey } from '../random-key.ts';
import { knownMessage, type RoomStore, roomMessages, threadMessages } from '../room-store.ts';
import type { Member, Message, MessageParts, OwnRoom, Profile, Receipt, RoomEvent, ThreadState } from '../types.ts';
import { type ChatMessage, toChatMessage } from './chat-message.ts';
import type { KnownRooms } from './known-rooms.ts';
import { ListReader } from './list-reader.ts';
import { createDerived, type Loaded, type LoadedStore, type Source, type Store } from './live-store.ts';
import { type MessageStore, TimelineReader } from './timeline.ts';
import { createTypingSignal, TypingPeople } from './typing-people.ts';

export interface SendOptions extends MessageParts {
  /** The key by which the message is stored once. Default: a random one. */
  readonly clientId?: string;
}

/** A room of the user. The same id gives the same handle. */
export interface RoomHandle extends Store<OwnRoom | undefined> {
  readonly id: string;
  /** The history of the room, without messages that are in a thread alone. */
  readonly messages: MessageStore;
  readonly members: LoadedStore<Loaded<Member>>;
  /** The newest pin first. */
  readonly pins: LoadedStore<Loaded<ChatMessage>>;
  /** Who is writing at this moment, without the user. */
  readonly typing: Store<readonly Profile[]>;
  /** How far others have read, in a room with `receipts`. */
  readonly readers: Store<readonly Receipt[]>;
  /** @param messageId of the message that starts the thread */
  readonly thread: (messageId: string) => ThreadHandle;

  /**
   * Sends a message. It is in `messages` at once, with the status `sending`, and it is sent as soon as there is a connection, exactly once and
   * in order, also after the page was closed. So a view needs not wait for the promise.
   * @returns when the server has stored it. @throws ParleyError when it refuses it: then the message's status is `failed`
   */
  readonly send: (text: string, options?: SendOptions) => Promise<Sent>;
  readonly edit: (messageId: string, text: string) => Promise<void>;
  readonly delete: (messageId: string) => Promise<void>;
  /** @param emoji one emoji, or `:name:` of a custom emoji. Repeating it changes nothing */
  readonly react: (messageId: string, emoji: string) => Promise<void>;
  readonly unreact: (messageId: string, emoji: string) => Promise<void>;
  /** @param options indexes of the options; none takes the vote back */
  readonly vote: (messageId: string, options: readonly number[]) => Promise<void>;
  readonly closePoll: (messageId: string) => Promise<void>;
  readonly pin: (messageId: string) => Promise<void>;
  readonly unpin: (messageId: string) => Promise<void>;
  /** @param seq of the last message that was read; default: the newest one */
  readonly markRead: (seq?: number) => Promise<void>;
  /** Marks the messages from `seq` on as unread. */
  readonly markUnread: (seq: number) => Promise<void>;
  /** To be called with each keystroke, and with false when the text was discarded. Sends a signal now and then. Never fails. */
  readonly setTyping: (active: boolean) => void;
}

export interface ThreadHandle {
  readonly id: string;
  /** The message that starts the thread; undefined while it is not known. */
  readonly root: Store<ChatMessage | undefined>;
  /** The replies, without the message that starts the thread. */
  readonly messages: MessageStore;
  /** As `send` of a room. @param options.alsoInRoom shows the reply in the room as well */
  readonly send: (text: string, options?: SendOptions) => Promise<Sent>;
  /** @param seq of the last reply that was read; default: the newest one */
  readonly markRead: (seq?: number) => Promise<ThreadState | undefined>;
  readonly follow: (follow: boolean) => Promise<ThreadState>;
}

/** What the handles of one client share. */
export interface HandleContext {
  readonly calls: Calls;
  readonly rooms: KnownRooms;
  readonly outbox: Outbox;
  readonly userId: () => string | undefined;
  /** The user's messages in a room that are on their way. */
  readonly echoes: Store<readonly ChatMessage[]>;
  readonly ready: () => Promise<void>;
  readonly onUse: () => void;
}

/** A handle with what keeps it right. */
export class Room {
  readonly handle: RoomHandle;
  readonly #id: string;
  readonly #context: HandleContext;
  readonly #source: Source<RoomStore>;
  readonly #typing = new TypingPeople();
  readonly #timeline: TimelineReader;
  readonly #threads = new Map<string, { handle: ThreadHandle; timeline: TimelineReader }>();
  readonly #members: ListReader<Member>;
  readonly #pins: ListReader<ChatMessage>;
  #receiptsOf: string | undefined;

  constructor(id: string, context: HandleContext) {
    const { rooms, calls } = context;
    this.#id = id;
    this.#context = context;
    this.#source = rooms.of(id);
    this.#timeline = this.#createTimeline({
      ask: (range) => calls.history(id, range),
      select: roomMessages,
      isShown: ({ threadId, alsoInRoom }) => threadId === null || alsoInRoom === true,
    });
    this.#members = new ListReader(
      this.#source,
      () =>
        this.#read(
          () => calls.members(id),
          (members, during) => ({ type: 'members', members, during }),
        ),
      ({ members }) => (members ? [...members.values()] : []),
    );
    this.#pins = new ListReader(
      this.#source,
      () =>
        this.#read(
          () => calls.pins(id),
          (messages, during) => ({ type: 'pins', messages, during }),
        ),
      (store) => (store.pinnedIds ?? []).flatMap((pinned) => knownMessage(store, pinned) ?? []).map(toChatMessage),
    );
    this.handle = this.#createHandle();
  }

  /** A signal or an event about the room, beside what the log takes. */
  takeTyping({ userId, active }: { readonly userId: string; readonly active: boolean }): void {
    if (userId === this.#context.userId()) return;
    if (active) this.#typing.start(this.#context.rooms.person(userId) ?? unknownPerson(userId));
    else this.#typing.stop(userId);
  }

  takeEvent(event: RoomEvent): void {
    if (event.type === 'message.created') this.#typing.stop(event.data.message.sender.id);
  }

  /** Events were left out, or may have been. */
  reload(): void {
    for (const each of this.#timelines()) leave(each.reload());
    for (const each of [this.#members, this.#pins]) leave(each.reload());
    this.#receiptsOf = undefined;
  }

  /** There is a connection again: makes up for what failed. */
  again(): void {
    for (const each of this.#timelines()) leave(each.again());
    for (const each of [this.#members, this.#pins]) leave(each.again());
  }

  /** The user is not in the room any more, or is another one. */
  clear(): void {
    for (const each of this.#timelines()) each.clear();
    for (const each of [this.#members, this.#pins]) each.clear();
    this.#receiptsOf = undefined;
  }

  *#timelines(): Iterable<TimelineReader> {
    yield this.#timeline;
    for (const { timeline } of this.#threads.values()) yield timeline;
  }

  #createTimeline({
    ask,
    select,
    isShown,
  }: Pick<ConstructorParameters<typeof TimelineReader>[0], 'ask' | 'select'> & {
    isShown: (echo: ChatMessage) => boolean;
  }): TimelineReader {
    const { rooms, calls, ready, echoes } = this.#context;
    const id = this.#id;
    return new TimelineReader({
      ...{ roomId: id, rooms, ask, select, ready },
      seqOf: async (messageId) => (await calls.message(id, messageId)).seq,
      echoes: createDerived([echoes, this.#source], (all, store) =>
        all.filter((echo) => echo.roomId === id && isShown(echo) && !isStored(store, echo)),
      ),
    });
  }

  #createHandle(): RoomHandle {
    const id = this.#id;
    const { calls, onUse } = this.#context;
    const known = createDerived([this.#source], ({ room }) => room, { isSame: Object.is, onUse });
    return {
      id,
      ...known,
      messages: this.#messagesOf(this.#timeline),
      members: this.#members.store,
      pins: this.#pins.store,
      typing: this.#typing.store,
      readers: this.#createReaders(),
      thread: (messageId) => this.#thread(messageId).handle,
      send: (text, options) => this.#send(text, options, this.#timeline),
      edit: async (messageId, text) => void (await calls.edit(id, messageId, text)),
      delete: async (messageId) => void (await calls.remove(id, messageId)),
      react: (messageId, emoji) => calls.react(id, messageId, emoji),
      unreact: (messageId, emoji) => calls.unreact(id, messageId, emoji),
      vote: async (messageId, options) => {
        await calls.vote(id, messageId, options);
        this.#context.rooms.change(id, { type: 'voted', messageId, own: options });
      },
      closePoll: (messageId) => calls.closePoll(id, messageId),
      pin: (messageId) => calls.pin(id, messageId),
      unpin: (messageId) => calls.unpin(id, messageId),
      markRead: (seq) => this.#markRead(seq),
      markUnread: async (seq) => {
        this.#context.rooms.change(id, { type: 'read', read: await calls.markUnread(id, seq) });
      },
      setTyping: this.#setTyping,
    };
  }

  readonly #setTyping = createTypingSignal((active) => this.#context.calls.typing(this.#id, active));

  #messagesOf(timeline: TimelineReader): MessageStore {
    const { outbox } = this.#context;
    const clientIdOf = (message: string) => message.slice(message.indexOf(':') + 1);
    return {
      ...timeline.store,
      loadOlder: timeline.loadOlder,
      loadNewer: timeline.loadNewer,
      showAround: timeline.showAround,
      showNewest: timeline.showNewest,
      retry: (message) => outbox.retry(clientIdOf(message)),
      discard: async (message) => (await outbox.discard(clientIdOf(message)))?.text,
    };
  }

  #createReaders(): Store<readonly Receipt[]> {
    const { userId } = this.#context;
    return createDerived(
      [this.#source],
      ({ receipts }) => [...receipts.values()].filter((each) => each.userId !== userId()),
      { onUse: () => leave(this.#loadReceipts()) },
    );
  }

  async #loadReceipts(): Promise<void> {
    const { calls, rooms, ready, userId } = this.#context;
    if (this.#receiptsOf !== undefined && this.#receiptsOf === userId()) return;
    await ready();
    if (!this.#source.get().room?.receipts) return;
    this.#receiptsOf = userId();
    const receipts = await calls.receipts(this.#id).catch((error: unknown) => {
      this.#receiptsOf = undefined;
      if (!(error instanceof ParleyError)) throw error;
    });
    if (receipts) rooms.change(this.#id, { type: 'receipts', receipts });
  }

  /** Reads over REST what becomes a change of the room. @throws ParleyError */
  async #read<Answer>(
    ask: () => Promise<Answer>,
    toChange: (answer: Answer, during: readonly RoomEvent[]) => Parameters<KnownRooms['change']>[1],
  ): Promise<void> {
    const { rooms, ready } = this.#context;
    await ready();
    await rooms.read(ask, (answer, all) => {
      const during = all.filter(({ roomId }) => roomId === this.#id);
      rooms.change(this.#id, toChange(answer, during));
    });
  }

  #send(text: string, { clientId = randomKey(), ...parts }: SendOptions = {}, timeline: TimelineReader): Promise<Sent> {
    const { outbox, userId, onUse } = this.#context;
    onUse();
    this.#setTyping(false);
    // The user looks for what they have written at the end.
    if (timeline.store.get().hasNewer) leave(timeline.showNewest());
    const sent = outbox.send({ roomId: this.#id, text, clientId, parts, senderId: userId() });
    // A view may leave the promise alone: the message shows what became of it.
    sent.catch(() => {});
    return sent;
  }

  async #markRead(seq = lastSeq(this.#timeline.store.get().items)): Promise<void> {
    const { calls, rooms } = this.#context;
    const { room } = this.#source.get();
    if (seq === undefined || (room && seq <= room.lastReadSeq && room.unread === 0)) return;
    const read = await calls.markRead(this.#id, seq);
    rooms.change(this.#id, { type: 'read', read });
  }

  #thread(messageId: string): { handle: ThreadHandle; timeline: TimelineReader } {
    const known = this.#threads.get(messageId);
    if (known) return known;
    const { calls, rooms } = this.#context;
    const id = this.#id;
    const timeline = this.#createTimeline({
      ask: (range) => calls.thread(id, messageId, range),
      select: (store, { from, to }) => threadMessages(store, messageId).filter(({ seq }) => seq >= from && seq <= to),
      isShown: ({ threadId }) => threadId === messageId,
    });
    const findRoot = (store: RoomStore) => knownMessage(store, messageId);
    const loadRoot = () => {
      if (!findRoot(this.#source.get())) void rooms.readMessage(id, messageId).catch(ignoreRefusal);
    };
    const handle: ThreadHandle = {
      id: messageId,
      root: createDerived([this.#source], (store) => toShown(findRoot(store)), { isSame: Object.is, onUse: loadRoot }),
      messages: this.#messagesOf(timeline),
      send: (text, options) => this.#send(text, { ...options, threadId: messageId }, timeline),
      markRead: async (seq = lastSeq(timeline.store.get().items)) =>
        seq === undefined ? undefined : calls.markThreadRead(id, messageId, seq),
      follow: (follow) => calls.followThread(id, messageId, follow),
    };
    const made = { handle, timeline };
    this.#threads.set(messageId, made);
    return made;
  }
}

function toShown(message: Message | undefined): ChatMessage | undefined {
  return message && toChatMessage(message);
}

/** Whether the log has the message that the echo stands for. */
function isStored({ log }: RoomStore, { clientId, sender }: ChatMessage): boolean {
  return log.messages.some((message) => message.clientId === clientId && message.sender.id === sender.id);
}

function lastSeq(items: readonly ChatMessage[]): number | undefined {
  return items.findLast(({ status }) => status === 'sent')?.seq;
}

function unknownPerson(id: string): Profile {
  return { id, username: '', displayName: 'Someone', avatarUrl: null };
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof ParleyError)) throw error;
}
