/** Keeps the stores of a client up to date: hands each frame of the connection to the stores that it is about. */

import type { Base } from '../base.ts';
import { leave } from '../leave.ts';
import type { SocketState, Welcome } from '../link/live-socket.ts';
import type { OutboxEntry } from '../outbox/outbox.ts';
import type { ParleyClient as Calls } from '../parley-client.ts';
import { ParleyError } from '../parley-error.ts';
import type {
  Attachment,
  BlockChange,
  Message,
  MessageDelta,
  OwnRoom,
  Profile,
  ReadState,
  Receipt,
  RoomEvent,
  ServerFrame,
} from '../types.ts';
import { EventBook } from './chat-events.ts';
import { type ChatMessage, toEcho } from './chat-message.ts';
import { type ConnectionState, toConnection } from './connection-store.ts';
import { KnownRooms } from './known-rooms.ts';
import { createDerived, createSource, type Loaded, type Store } from './live-store.ts';
import { PresenceBook, type PresenceChange } from './presence-book.ts';
import { Room, type RoomHandle } from './room-handle.ts';

/** Uploads whose pictures are shown before their message is stored, at most. */
const uploadsMax = 100;

export class ChatStores {
  readonly connection = createSource<ConnectionState>({ status: 'off' });
  readonly user = createSource<Profile | undefined>(undefined);
  readonly rooms: KnownRooms;
  readonly presence: PresenceBook;
  readonly events: EventBook;
  /** Connects, as the client does it. */
  onConnect: () => void;
  readonly #base: Base;
  readonly #calls: Calls;
  readonly #handles = new Map<string, Room>();
  readonly #entries = createSource<readonly OutboxEntry[]>([]);
  readonly #echoes: Store<readonly ChatMessage[]>;
  readonly #uploads = new Map<string, Attachment>();
  /** Rooms were read while no connection followed them. */
  #isUnfollowed = false;
  /** Those who wait until there is a connection, or none can be had. */
  #waiting: (() => void)[] = [];
  #owner: string | undefined;

  constructor(base: Base, calls: Calls) {
    this.#base = base;
    this.#calls = calls;
    this.onConnect = () => base.link.start();
    const onUse = () => this.use();
    this.events = new EventBook(onUse);
    this.presence = new PresenceBook(calls, onUse);
    this.rooms = new KnownRooms({
      ...{ calls, onUse },
      userId: () => this.user.get()?.id,
      opened: (roomId) => this.#handles.get(roomId),
    });
    this.#echoes = createDerived([this.#entries, this.user], (entries, sender) =>
      sender ? entries.map((entry) => toEcho(entry, { sender, attachments: (id) => this.#uploads.get(id) })) : [],
    );
    base.on({
      onState: (state) => this.#takeState(state),
      onWelcome: (welcome) => this.#takeWelcome(welcome),
      onEvent: (event) => this.#takeEvent(event),
      onReset: (roomId) => {
        this.rooms.change(roomId, { type: 'reset' });
        this.#handles.get(roomId)?.reload();
      },
      onSignal: (frame) => this.#takeSignal(frame),
      onEnd: () => {
        this.connection.set({ status: 'unauthorized' });
        this.#stopWaiting();
      },
    });
    this.userChanged();
  }

  /** Somebody wants to see something: connects, unless that was done or is in vain. */
  use(): void {
    if (this.connection.get().status === 'off') this.onConnect();
  }

  /** Reads the list of rooms, unless it was read. */
  async loadRooms(): Promise<Loaded<OwnRoom>> {
    await this.ready();
    if (this.rooms.list.get().status !== 'ready') await this.rooms.loadRooms();
    return this.rooms.list.get();
  }

  room(roomId: string): RoomHandle {
    const known = this.#handles.get(roomId);
    if (known) return known.handle;
    const made = new Room(roomId, {
      calls: this.#calls,
      rooms: this.rooms,
      outbox: this.#base.outbox,
      userId: () => this.user.get()?.id,
      echoes: this.#echoes,
      ready: () => this.ready(),
      onUse: () => this.use(),
    });
    this.#handles.set(roomId, made);
    return made.handle;
  }

  /** Resolves once there is a connection whose events follow what is read then, or none can be had at present. */
  async ready(): Promise<void> {
    this.use();
    const { status } = this.connection.get();
    if (status === 'connecting' || status === 'off') await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isUnfollowed ||= this.connection.get().status !== 'online';
  }

  outboxChanged(): void {
    this.#entries.set(this.#base.outbox.entries());
  }

  keepUpload(attachment: Attachment): void {
    this.#uploads.set(attachment.id, attachment);
    const [oldest = ''] = this.#uploads.keys();
    if (this.#uploads.size > uploadsMax) this.#uploads.delete(oldest);
  }

  /** The user has logged in or out, or is known now. */
  userChanged(user: Profile | undefined = this.#base.user()): void {
    const before = this.user.get();
    if (before && before.id !== user?.id) {
      for (const room of this.#handles.values()) room.clear();
      this.rooms.clear();
    }
    this.user.set(user);
    if (user) this.rooms.learn(user);
    if (before?.id !== user?.id) this.rooms.userKnown();
    if (user && this.#owner !== user.id) leave(this.#openOutbox(user.id));
  }

  async #openOutbox(userId: string): Promise<void> {
    this.#owner = userId;
    // On its own, since not every environment has a database.
    const { openShelf } = await import('../outbox/outbox-shelf.ts');
    const shelf = await openShelf(`${this.#base.server.url} ${userId}`);
    if (this.#owner === userId) await this.#base.outbox.open(shelf, userId);
  }

  #takeState(state: SocketState): void {
    this.connection.set(toConnection(state));
    if (state.name === 'connecting' || state.name === 'off') return;
    this.#stopWaiting();
    if (state.name === 'live') {
      leave(this.presence.again());
    } else if (this.rooms.list.isUsed() && this.rooms.list.get().status === 'idle') {
      this.#isUnfollowed = true;
      leave(this.rooms.loadRooms());
    }
  }

  #stopWaiting(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  #takeWelcome({ user, blockedIds }: Welcome): void {
    this.userChanged(user as unknown as Profile);
    this.rooms.setBlocked(blockedIds ?? []);
    leave(this.rooms.loadRooms());
    for (const room of this.#handles.values()) {
      if (this.#isUnfollowed) room.reload();
      else room.again();
    }
    this.#isUnfollowed = false;
  }

  #takeEvent(event: RoomEvent): void {
    this.rooms.takeEvent(event);
    const room = this.#handles.get(event.roomId);
    room?.takeEvent(event);
    if (event.type === 'message.created') this.#settle(event.data.message);
    if (event.type === 'room.deleted') room?.clear();
    this.events.take(event);
  }

  #settle({ id: messageId, sender, clientId, seq, createdAt }: Message): void {
    if (clientId !== null && sender.id === this.user.get()?.id)
      this.#base.outbox.settle(clientId, { messageId, seq, createdAt });
  }

  #takeSignal(frame: ServerFrame): void {
    const { type, roomId = '', data = {} } = frame;
    const { rooms } = this;
    if (type === 'notice' && typeof frame.clientId === 'string') {
      const { code = 'internal', message = '' } = frame;
      this.#base.outbox.refuse(frame.clientId, new ParleyError(code, message, frame));
    } else if (type === 'typing') this.#handles.get(roomId)?.takeTyping(data as { userId: string; active: boolean });
    else if (type === 'read.updated') rooms.change(roomId, { type: 'read', read: data as ReadState });
    else if (type === 'block.updated') rooms.changeBlocked(data as BlockChange);
    else if (type === 'receipt.updated') rooms.change(roomId, { type: 'receipt', receipt: data as Receipt });
    else if (type === 'message.delta') rooms.change(roomId, { type: 'delta', delta: data as MessageDelta });
    else if (type === 'presence') this.presence.take(data as PresenceChange);
    else if (type === 'room.joined') leave(rooms.loadRooms());
    else if (type === 'room.left') {
      rooms.forget(roomId);
      this.#handles.get(roomId)?.clear();
    }
    this.events.takeSignal(frame);
  }
}
