/** The state of the page: rooms, messages, people who are writing. Only the client's events change it; views subscribe. */
import type {
  BlockChange,
  Message,
  MessageDelta,
  OwnRoom,
  ParleyClient,
  ReadState,
  Receipt,
  RoomEvent,
  ServerFrame,
} from '../../client/parley-client.ts';
import { ClientError } from '../../client/parley-client.ts';
import { type ChatState, emptyChat } from './chat-state.ts';
import { createDeviceStorage } from './device-storage.ts';
import { createDraftSync, type DraftSync } from './draft-sync.ts';
import { createDrafts, type Drafts } from './drafts.ts';
import { createEdits, type Edits } from './edits.ts';
import { createEmojiMemory, type EmojiMemory } from './emoji-memory.ts';
import { HistoryViews } from './history-views.ts';
import { type PresenceChange, PresenceWatch } from './presence-watch.ts';
import { explainRefusal } from './refusal-words.ts';
import { RoomStores } from './room-stores.ts';
import { ThreadViews } from './thread-views.ts';
import { TypingNames } from './typing-names.ts';
import { createUnsentMessages, type UnsentMessages } from './unsent-messages.ts';

export type { ChatState } from './chat-state.ts';
export { explainRefusal } from './refusal-words.ts';

interface DraftChange {
  readonly threadId: string | null;
  readonly text: string;
}

interface ReminderData {
  readonly messageId: string;
  readonly note: string;
}

export class ChatStore {
  state: ChatState = emptyChat;
  readonly client: ParleyClient;
  /** The user whose rooms these are. */
  readonly userId: string | undefined;
  readonly drafts: Drafts;
  readonly unsent: UnsentMessages;
  readonly draftSync: DraftSync;
  readonly edits: Edits;
  readonly emojiMemory: EmojiMemory;
  readonly stores: RoomStores;
  readonly views: HistoryViews;
  readonly threads: ThreadViews;
  readonly presence: PresenceWatch;
  readonly #typing: TypingNames;
  /** Rooms whose messages the user has marked as unread. */
  readonly #keptUnread = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #stopListening: () => void;

  /** @param storage keeps drafts and unsent messages on this device, separately for each account */
  constructor(client: ParleyClient, storage: Storage = localStorage) {
    this.client = client;
    this.userId = client.user()?.id;
    this.stores = new RoomStores(this);
    this.views = new HistoryViews(this, this.stores);
    this.threads = new ThreadViews(this, this.stores);
    this.presence = new PresenceWatch(this);
    this.#typing = new TypingNames(this);
    const kept = (what: string) => createDeviceStorage(`parley.${what}.${this.userId}.`, storage);
    this.drafts = createDrafts(kept('draft'));
    this.unsent = createUnsentMessages({
      client,
      storage: kept('unsent'),
      explain: explainRefusal,
      onChange: (unsent) => this.set({ unsent }),
    });
    this.draftSync = createDraftSync(client);
    this.edits = createEdits(kept('edit'), (edited) => this.set({ edited }));
    this.emojiMemory = createEmojiMemory(kept('emoji'));
    this.state = { ...this.state, unsent: this.unsent.byRoom(), edited: this.edits.messageIds() };
    this.#stopListening = client.on({
      onState: (socket) => {
        this.set({ socket });
        if (socket.name === 'live') void this.presence.again();
      },
      onWelcome: ({ messageLengthMax, blockedIds = [] }) => {
        this.stores.setBlocked(blockedIds);
        if (messageLengthMax !== undefined) this.set({ messageLengthMax });
        void this.stores.loadRooms();
        void this.#loadEmojis();
      },
      onEvent: (event) => this.#takeEvent(event),
      onReset: (roomId) => this.#reload(roomId),
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
    this.set({});
  }

  /** Whether only this device has some texts of the account: drafts, edits, and messages that were not sent. */
  hasUnsentText(): boolean {
    return this.state.unsent.size > 0 || this.state.edited.size > 0 || this.drafts.keys().length > 0;
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

  /** For the parts of the store. */
  set(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }

  async #loadEmojis(): Promise<void> {
    try {
      this.set({ customEmojis: await this.client.customEmojis() });
    } catch (error) {
      // Their names are shown instead.
      if (!(error instanceof ClientError)) throw error;
    }
  }

  /** Shows a room. */
  async open(roomId: string): Promise<void> {
    await Promise.all([this.views.open(roomId), this.#meet(roomId)]);
  }

  /** Gets to know the people of a room: their names while they write, and who is there. */
  async #meet(roomId: string): Promise<void> {
    try {
      await this.stores.read(
        () => this.client.members(roomId),
        (members, all) => {
          const during = all.filter((event) => event.roomId === roomId);
          this.stores.change(roomId, { type: 'members', members, during });
          for (const { user } of members) this.#typing.learn(user);
          void this.presence.watch(members.map(({ user }) => user.id));
        },
      );
      if (this.state.rooms.get(roomId)?.receipts)
        this.stores.change(roomId, { type: 'receipts', receipts: await this.client.receipts(roomId) });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  #reload(roomId: string): void {
    this.stores.change(roomId, { type: 'reset' });
    if (this.state.views.has(roomId)) void this.views.reload(roomId);
    if (this.state.thread?.roomId === roomId) void this.threads.reload();
  }

  /** Shows the message that a link leads to. @throws ClientError */
  async showMessage(roomId: string, messageId: string): Promise<Message> {
    const message = await this.views.showAround(roomId, messageId);
    this.set({ pointed: messageId });
    return message;
  }

  /** Begins to edit the user's newest message among those that are loaded, if there is one. */
  editNewest(roomId: string): void {
    const own = this.state.views
      .get(roomId)
      ?.messages.findLast(({ sender, deletedAt }) => sender.id === this.userId && !deletedAt);
    if (own) this.edits.set(own.id, this.edits.get(own.id) ?? own.text);
  }

  #takeEvent(event: RoomEvent): void {
    const { type, roomId, data } = event;
    if ('user' in data) this.#typing.learn(data.user);
    if (type === 'message.created') this.#takeMessage(roomId, data.message);
    this.stores.takeEvent(event);
    if (type === 'message.deleted') this.edits.end(data.messageId);
  }

  #takeMessage(roomId: string, { sender, clientId }: Message): void {
    this.#typing.learn(sender);
    this.#typing.stop(roomId, sender.id);
    if (sender.id === this.client.user()?.id && clientId !== null) this.unsent.remove(clientId);
  }

  #takeSignal({ type, roomId = '', data = {}, ...frame }: ServerFrame): void {
    if (type === 'notice' && typeof frame.clientId === 'string') {
      const error = new ClientError(frame.code ?? 'internal', frame.message ?? '', frame);
      this.unsent.refuse(frame.clientId, explainRefusal(error));
    }
    if (type === 'typing') {
      const { userId, active } = data as { userId: string; active: boolean };
      if (active) this.#typing.start(roomId, userId);
      else this.#typing.stop(roomId, userId);
    } else if (type === 'read.updated') {
      this.stores.change(roomId, { type: 'read', read: data as ReadState });
    } else if (type === 'block.updated') this.stores.changeBlocked(data as BlockChange);
    else if (type === 'receipt.updated') this.stores.change(roomId, { type: 'receipt', receipt: data as Receipt });
    else if (type === 'message.delta') this.stores.change(roomId, { type: 'delta', delta: data as MessageDelta });
    else if (type === 'presence') this.presence.take(data as PresenceChange);
    else if (type === 'draft.updated') this.#takeDraft(roomId, data as DraftChange);
    else if (type === 'bookmark.reminder') this.set({ reminder: { roomId, ...(data as ReminderData) } });
    else if (type === 'room.joined') void this.stores.loadRooms();
    else if (type === 'room.left') this.stores.forget(roomId);
  }

  /** Another device has written. What this device shows is not replaced while somebody writes here. */
  #takeDraft(roomId: string, { threadId, text }: DraftChange): void {
    const key = threadId ?? roomId;
    if (text !== this.drafts.get(key) && !document.hasFocus()) this.drafts.replace(key, text);
  }

  /** Marks the messages from `seq` on as unread. They stay so until the user comes back to the room. */
  async markUnread(roomId: string, seq: number): Promise<void> {
    this.#keptUnread.add(roomId);
    this.stores.change(roomId, { type: 'read', read: await this.client.markUnread(roomId, seq) });
  }

  /** To be called when the user enters a room. */
  readAlong(roomId: string): void {
    this.#keptUnread.delete(roomId);
  }

  /** Marks all loaded messages of the room as read. To be called only when the newest end was in view. */
  markRead(roomId: string): void {
    const room = this.state.rooms.get(roomId);
    const view = this.state.views.get(roomId);
    const newest = view?.messages.at(-1)?.seq ?? 0;
    if (this.#keptUnread.has(roomId)) return;
    if (!room || !view || view.to !== Number.POSITIVE_INFINITY) return;
    if (newest <= room.lastReadSeq && room.unread === 0) return;
    const lastReadSeq = Math.max(room.lastReadSeq, newest);
    this.stores.change(roomId, { type: 'read', read: { unread: 0, mentions: 0, lastReadSeq } });
    this.client.markRead(roomId, newest).catch((error: unknown) => {
      // The next connection brings a list of rooms with the unread counts.
      if (!(error instanceof ClientError)) throw error;
    });
  }
}

/** Whether the user may moderate a room: as its owner or moderator, or as staff. Without a room: whether the user is staff. */
export function moderates(client: ParleyClient, room: OwnRoom | undefined): boolean {
  if (client.user()?.role !== 'user') return room === undefined || room.kind === 'room';
  return room !== undefined && room.kind === 'room' && room.role !== 'member';
}
