/** The state of the page: rooms, messages, people who are writing. Only the client's events change it; views subscribe. */
import type {
  HistoryPage,
  Member,
  Message,
  OwnRoom,
  Page,
  ParleyClient,
  Profile,
  RoomEvent,
  ServerFrame,
  SocketState,
} from '../../client/parley-client.ts';
import { ClientError } from '../../client/parley-client.ts';
import { createDeviceStorage } from './device-storage.ts';
import { createDrafts, type Drafts } from './drafts.ts';
import { createEdits, type Edits } from './edits.ts';
import { createUnsentMessages, type UnsentByRoom, type UnsentMessages } from './unsent-messages.ts';

export interface RoomView {
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  readonly loading: boolean;
  /** Why the last attempt to load messages failed, in words; empty when it did not. */
  readonly problem: string;
}

export interface ChatState {
  readonly rooms: ReadonlyMap<string, OwnRoom>;
  readonly views: ReadonlyMap<string, RoomView>;
  readonly unsent: UnsentByRoom;
  /** Ids of the messages that are being edited. */
  readonly edited: ReadonlySet<string>;
  /** By room: the names of people who are writing, by user id. */
  readonly typing: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly socket: SocketState;
  readonly ready: boolean;
  /** Characters (code points) of a message, as the server says. */
  readonly messageLengthMax: number;
}

const emptyView: RoomView = { messages: [], hasOlder: true, loading: false, problem: '' };
/** The most messages that are read back at once, to the oldest unread one or to those that were shown before. */
const readBackMax = 500;
/** The server's bound for one page. */
const pageMax = 100;
/** A `typing` signal lasts this long unless it is repeated. */
const typingMs = 6000;

export class ChatStore {
  state: ChatState = {
    rooms: new Map(),
    views: new Map(),
    unsent: new Map(),
    edited: new Set(),
    typing: new Map(),
    socket: { name: 'off' },
    ready: false,
    // The default of `message.maxLength`, until the welcome brings the setting.
    messageLengthMax: 8000,
  };
  readonly client: ParleyClient;
  /** The user whose rooms these are. */
  readonly userId: string | undefined;
  readonly drafts: Drafts;
  readonly unsent: UnsentMessages;
  readonly edits: Edits;
  readonly #listeners = new Set<() => void>();
  readonly #names = new Map<string, string>();
  readonly #typingTimers = new Map<string, ReturnType<typeof setTimeout>>();
  /** For each request for the list of rooms: the events since it was sent. */
  readonly #eventsDuringLoad = new Set<RoomEvent[]>();
  readonly #stopListening: () => void;
  #open: string | undefined;

  /** @param storage keeps drafts and unsent messages on this device, separately for each account */
  constructor(client: ParleyClient, storage: Storage = localStorage) {
    this.client = client;
    this.userId = client.user()?.id;
    const kept = (what: string) => createDeviceStorage(`parley.${what}.${this.userId}.`, storage);
    this.drafts = createDrafts(kept('draft'));
    this.unsent = createUnsentMessages({
      client,
      storage: kept('unsent'),
      explain: explainRefusal,
      onChange: (unsent) => this.#set({ unsent }),
    });
    this.edits = createEdits(kept('edit'), (edited) => this.#set({ edited }));
    this.state = { ...this.state, unsent: this.unsent.byRoom(), edited: this.edits.messageIds() };
    this.#stopListening = client.on({
      onState: (socket) => this.#set({ socket }),
      onWelcome: ({ messageLengthMax }) => {
        if (messageLengthMax !== undefined) this.#set({ messageLengthMax });
        void this.#loadRooms();
      },
      onEvent: (event) => this.#takeEvent(event),
      onReset: (roomId) => void this.#reload(roomId),
      onSignal: (frame) => this.#takeSignal(frame),
    });
  }

  /** To be called when the login has ended. The texts that this device keeps for the account stay. */
  stop(): void {
    this.#stopListening();
    this.unsent.stop();
  }

  /** To be called after the user changed their name or picture: the page is drawn again. */
  profileChanged(): void {
    this.#set({});
  }

  /** Whether only this device has some texts of the account: drafts, edits, and messages that were not sent. */
  hasUnsentText(): boolean {
    return this.state.unsent.size > 0 || this.state.edited.size > 0 || this.drafts.roomIds().length > 0;
  }

  /** Removes those texts from this device. */
  forgetUnsentText(): void {
    this.drafts.forget();
    for (const messageId of this.state.edited) this.edits.end(messageId);
    for (const { clientId } of [...this.state.unsent.values()].flat()) this.unsent.remove(clientId);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }

  #setRoom(roomId: string, change: Partial<OwnRoom>): void {
    const room = this.state.rooms.get(roomId);
    if (room) this.#set({ rooms: new Map(this.state.rooms).set(roomId, { ...room, ...change }) });
  }

  #setView(roomId: string, change: Partial<RoomView>): void {
    const view = this.state.views.get(roomId) ?? emptyView;
    this.#set({ views: new Map(this.state.views).set(roomId, { ...view, ...change }) });
  }

  async #loadRooms(): Promise<void> {
    const events: RoomEvent[] = [];
    this.#eventsDuringLoad.add(events);
    try {
      const rooms = await this.client.rooms();
      this.#set({ rooms: new Map(rooms.map((room) => [room.id, room])), ready: true });
      for (const event of events) this.#count(event);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    } finally {
      this.#eventsDuringLoad.delete(events);
    }
  }

  /** Shows a room: its newest messages, back to the first one that was not read. */
  async open(roomId: string | undefined): Promise<void> {
    this.#open = roomId;
    if (roomId === undefined || this.state.views.has(roomId)) return;
    const room = this.state.rooms.get(roomId);
    const backTo = room && room.unread > 0 ? room.lastReadSeq + 1 : Number.POSITIVE_INFINITY;
    await Promise.all([this.#reload(roomId, backTo), this.#learnNames(roomId)]);
  }

  /** Names people who are writing before they have sent anything. */
  async #learnNames(roomId: string): Promise<void> {
    try {
      const { items } = await this.client.call<Page<Member>>('GET', `/v1/rooms/${roomId}/members?limit=100`);
      for (const { user } of items) this.#names.set(user.id, user.displayName);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  /** Reads the newest messages again, and back to those that were shown before. */
  async #reload(roomId: string, backTo = this.state.views.get(roomId)?.messages[0]?.seq): Promise<void> {
    if (roomId !== this.#open && !this.state.views.has(roomId)) return;
    this.#setView(roomId, { loading: true, problem: '' });
    try {
      const { messages, hasMore } = await this.#readBack(roomId, backTo ?? Number.POSITIVE_INFINITY);
      for (const each of messages) this.#names.set(each.sender.id, each.sender.displayName);
      const newest = messages.at(-1)?.seq ?? 0;
      const live = (this.state.views.get(roomId)?.messages ?? []).filter((each) => each.seq > newest);
      this.#setView(roomId, { messages: [...messages, ...live], hasOlder: hasMore, loading: false });
    } catch (error) {
      this.#setView(roomId, { loading: false, problem: explainRefusal(error) });
    }
  }

  /** The newest messages and those before them, until `seq` is among them or `readBackMax` is reached. */
  async #readBack(roomId: string, seq: number): Promise<HistoryPage> {
    let { messages, hasMore, seq: readAt } = await this.client.history(roomId);
    while (hasMore && messages.length < readBackMax && messages[0]!.seq > seq) {
      const older = await this.client.history(roomId, { before: messages[0]!.seq, limit: pageMax });
      messages = [...older.messages, ...messages];
      hasMore = older.hasMore;
    }
    return { messages, hasMore, seq: readAt };
  }

  /** Begins to edit the user's newest message among those that are loaded, if there is one. */
  editNewest(roomId: string): void {
    const own = this.state.views
      .get(roomId)
      ?.messages.findLast(({ sender, deletedAt }) => sender.id === this.userId && !deletedAt);
    if (own) this.edits.set(own.id, this.edits.get(own.id) ?? own.text);
  }

  async loadOlder(roomId: string): Promise<void> {
    const view = this.state.views.get(roomId);
    const oldest = view?.messages[0];
    if (!view || !oldest || view.loading || !view.hasOlder || view.problem) return;
    this.#setView(roomId, { loading: true });
    try {
      const { messages, hasMore } = await this.client.history(roomId, { before: oldest.seq });
      const present = this.state.views.get(roomId)?.messages ?? [];
      this.#setView(roomId, { messages: [...messages, ...present], hasOlder: hasMore, loading: false });
    } catch (error) {
      this.#setView(roomId, { loading: false, problem: explainRefusal(error) });
    }
  }

  /** Tries again after messages could not be loaded. */
  async loadAgain(roomId: string): Promise<void> {
    const some = (this.state.views.get(roomId)?.messages.length ?? 0) > 0;
    this.#setView(roomId, { problem: '' });
    await (some ? this.loadOlder(roomId) : this.#reload(roomId));
  }

  #takeEvent(event: RoomEvent): void {
    const { type, roomId, data } = event;
    const { message, user } = data as { message?: Message; user?: Profile };
    if (user) this.#names.set(user.id, user.displayName);
    for (const events of this.#eventsDuringLoad) events.push(event);
    if (type === 'message.created' && message) this.#showMessage(roomId, message);
    else if (type === 'message.updated' && message) this.#changeMessage(roomId, message.id, () => message);
    else if (type === 'message.deleted') {
      const deletedAt = new Date().toISOString();
      this.#changeMessage(roomId, String(data.messageId), (each) => ({ ...each, text: '', html: '', deletedAt }));
      this.edits.end(String(data.messageId));
    }
    this.#count(event);
  }

  #showMessage(roomId: string, message: Message): void {
    this.#names.set(message.sender.id, message.sender.displayName);
    this.#stopTyping(roomId, message.sender.id);
    const view = this.state.views.get(roomId);
    if (view && !view.messages.some((each) => each.id === message.id))
      this.#setView(roomId, { messages: [...view.messages, message] });
    if (message.sender.id === this.client.user()?.id && message.clientId !== null) this.unsent.remove(message.clientId);
  }

  /** Applies an event to its room in the list. A list that was read after the event contains it already. */
  #count(event: RoomEvent): void {
    const room = this.state.rooms.get(event.roomId);
    if (room && event.seq > room.seq)
      this.#setRoom(room.id, { ...changeBy(event, room, this.client.user()?.id), seq: event.seq });
  }

  #changeMessage(roomId: string, messageId: string, change: (message: Message) => Message): void {
    const view = this.state.views.get(roomId);
    if (view)
      this.#setView(roomId, { messages: view.messages.map((each) => (each.id === messageId ? change(each) : each)) });
    const last = this.state.rooms.get(roomId)?.lastMessage;
    if (last?.id === messageId) this.#setRoom(roomId, { lastMessage: change(last) });
  }

  #takeSignal({ type, roomId = '', data, ...frame }: ServerFrame): void {
    if (type === 'notice' && typeof frame.clientId === 'string') {
      const error = new ClientError(frame.code ?? 'internal', frame.message ?? '', frame);
      this.unsent.refuse(frame.clientId, explainRefusal(error));
    }
    const {
      userId = '',
      active,
      lastReadSeq = 0,
      unread = 0,
      mentions = 0,
    } = (data ?? {}) as {
      userId?: string;
      active?: boolean;
      lastReadSeq?: number;
      unread?: number;
      mentions?: number;
    };
    if (type === 'typing') {
      if (active) this.#startTyping(roomId, userId);
      else this.#stopTyping(roomId, userId);
    } else if (type === 'read.updated') this.#setRoom(roomId, { lastReadSeq, unread, mentions });
    else if (type === 'room.joined') void this.#loadRooms();
    else if (type === 'room.left') {
      const rooms = new Map(this.state.rooms);
      const views = new Map(this.state.views);
      rooms.delete(roomId);
      views.delete(roomId);
      this.#set({ rooms, views });
    }
  }

  #startTyping(roomId: string, userId: string): void {
    const key = `${roomId} ${userId}`;
    clearTimeout(this.#typingTimers.get(key));
    this.#typingTimers.set(
      key,
      setTimeout(() => this.#stopTyping(roomId, userId), typingMs),
    );
    const names = new Map(this.state.typing.get(roomId)).set(userId, this.#names.get(userId) ?? 'Someone');
    this.#set({ typing: new Map(this.state.typing).set(roomId, names) });
  }

  #stopTyping(roomId: string, userId: string): void {
    const names = new Map(this.state.typing.get(roomId));
    if (names.delete(userId)) this.#set({ typing: new Map(this.state.typing).set(roomId, names) });
  }

  /** Marks all loaded messages of the room as read. To be called only when the newest end was in view. */
  markRead(roomId: string): void {
    const room = this.state.rooms.get(roomId);
    const newest = this.state.views.get(roomId)?.messages.at(-1)?.seq ?? 0;
    if (!room || (newest <= room.lastReadSeq && room.unread === 0)) return;
    this.#setRoom(roomId, { unread: 0, mentions: 0, lastReadSeq: Math.max(room.lastReadSeq, newest) });
    this.client.markRead(roomId, newest).catch((error: unknown) => {
      // The next connection brings a list of rooms with the unread counts.
      if (!(error instanceof ClientError)) throw error;
    });
  }
}

/** The change of a room in the list by an event. @param me the id of the list's user */
function changeBy({ type, data }: RoomEvent, before: OwnRoom, me: string | undefined): Partial<OwnRoom> {
  const { message, room, user } = data as { message?: Message; room?: OwnRoom; user?: Profile };
  if (type === 'room.updated' && room)
    return { name: room.name || before.name, topic: room.topic, visibility: room.visibility };
  if (type === 'member.joined') return { memberCount: before.memberCount + 1 };
  if (type === 'member.left') return { memberCount: before.memberCount - 1 };
  if (type === 'member.updated' && user?.id === me) return { role: data.role as Member['role'] };
  if (type !== 'message.created' || !message || message.seq <= before.lastReadSeq) return {};
  const mine = message.sender.id === me;
  const mentioned = !mine && me !== undefined && message.mentions.includes(me);
  return {
    lastMessage: message,
    unread: before.unread + (mine ? 0 : 1),
    mentions: before.mentions + (mentioned ? 1 : 0),
  };
}

/** Whether the user may moderate a room: as its owner or moderator, or as staff. Without a room: whether the user is staff. */
export function moderates(client: ParleyClient, room: OwnRoom | undefined): boolean {
  if (client.user()?.role !== 'user') return room === undefined || room.kind === 'room';
  return room !== undefined && room.kind === 'room' && room.role !== 'member';
}

/** A refusal in words. */
export function explainRefusal(error: unknown): string {
  if (!(error instanceof ClientError)) return 'Something went wrong.';
  if (error.code === 'message_blocked') {
    const labels = (error.details.labels ?? []) as readonly { name: string; matched: string }[];
    const reasons = labels.map(({ name, matched }) =>
      matched && name !== 'test' ? `${name} “${matched.slice(0, 40)}”` : name,
    );
    return `Blocked by moderation${reasons.length > 0 ? `: ${[...new Set(reasons)].join(', ')}` : ''}.`;
  }
  const wait = error.retryAfterMs === undefined ? '' : ` Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  const words: Readonly<Record<string, string>> = {
    offline: 'The server cannot be reached.',
    muted: 'You are muted in this room.',
    slow_mode: 'This room is in slow mode.',
    rate_limited: 'That was too fast.',
    too_large: 'That is too long.',
    not_found: 'That is no longer there.',
  };
  return `${words[error.code] ?? `${error.message[0]?.toUpperCase() ?? ''}${error.message.slice(1)}.`}${wait}`;
}
