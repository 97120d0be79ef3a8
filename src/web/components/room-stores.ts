/** What is known of each room, and the list of rooms: both follow the events, also while REST answers are on their way. */
import {
  afterBlock,
  type BlockChange,
  ClientError,
  createRoomStore,
  type OwnRoom,
  type RoomChange,
  type RoomEvent,
  type RoomStore,
  reduceRoom,
  roomMessages,
} from '../../client/parley-client.ts';
import type { ChatHolder, ChatState } from './chat-state.ts';

/** Messages that are kept of rooms that nobody has opened. */
const unopenedMax = 100;
/** What events did not tell is read again after this time, for several events at once. */
const readAgainMs = 300;

export class RoomStores {
  readonly #holder: ChatHolder;
  /** For each read that is under way: the events since it began. */
  readonly #reads = new Set<RoomEvent[]>();
  /** The users that the user blocks. */
  #blocked: ReadonlySet<string> = new Set();
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(holder: ChatHolder) {
    this.#holder = holder;
  }

  of(roomId: string): RoomStore {
    return (
      this.#holder.state.stores.get(roomId) ?? createRoomStore(this.#holder.client.user()?.id, undefined, this.#blocked)
    );
  }

  /** Reads over REST, and gives the answer to `take` with the events that came meanwhile. @throws ClientError */
  async read<Answer>(
    ask: () => Promise<Answer>,
    take: (answer: Answer, during: readonly RoomEvent[]) => void,
  ): Promise<void> {
    const during: RoomEvent[] = [];
    this.#reads.add(during);
    try {
      take(await ask(), during);
    } finally {
      this.#reads.delete(during);
    }
  }

  takeEvent(event: RoomEvent): void {
    for (const events of this.#reads) events.push(event);
    this.change(event.roomId, { type: 'event', event });
  }

  change(roomId: string, change: RoomChange): void {
    const { state } = this.#holder;
    const before = this.of(roomId);
    const after = this.#trimmed(roomId, reduceRoom(before, change));
    const changes: Partial<ChatState> = { stores: new Map(state.stores).set(roomId, after) };
    const view = state.views.get(roomId);
    const { room } = after;
    this.#holder.set({
      ...changes,
      ...(room && room !== before.room ? { rooms: new Map(state.rooms).set(roomId, room) } : {}),
      ...(view && after.log !== before.log
        ? { views: new Map(state.views).set(roomId, { ...view, messages: roomMessages(after, view) }) }
        : {}),
    });
    if (after.counts.uncertain || after.log.incomplete.size > 0) this.#readAgainSoon();
  }

  /** The users that the user blocks, as of now. */
  setBlocked(blockedIds: Iterable<string>): void {
    this.#blocked = new Set(blockedIds);
    for (const roomId of this.#holder.state.stores.keys())
      this.change(roomId, { type: 'blocked', blocked: this.#blocked });
  }

  /** The user has blocked or unblocked somebody. */
  changeBlocked(change: BlockChange): void {
    this.setBlocked(afterBlock(this.#blocked, change));
  }

  forget(roomId: string): void {
    const { state } = this.#holder;
    const [stores, rooms, views] = [new Map(state.stores), new Map(state.rooms), new Map(state.views)];
    for (const each of [stores, rooms, views]) each.delete(roomId);
    this.#holder.set({ stores, rooms, views });
  }

  /** Reads the list of rooms. A failed read is made up for by the next connection. */
  async loadRooms(): Promise<void> {
    try {
      await this.read(
        () => this.#holder.client.rooms(),
        (rooms, during) => this.#takeRooms(rooms, during),
      );
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  #takeRooms(rooms: readonly OwnRoom[], during: readonly RoomEvent[]): void {
    const listed = new Set(rooms.map(({ id }) => id));
    for (const roomId of this.#holder.state.rooms.keys()) if (!listed.has(roomId)) this.forget(roomId);
    for (const room of rooms)
      this.change(room.id, { type: 'room', room, during: during.filter(({ roomId }) => roomId === room.id) });
    this.#holder.set({ ready: true });
  }

  #trimmed(roomId: string, store: RoomStore): RoomStore {
    const { messages } = store.log;
    if (this.#holder.state.views.has(roomId) || messages.length <= 2 * unopenedMax) return store;
    return { ...store, log: { messages: messages.slice(-unopenedMax), incomplete: new Set() } };
  }

  #readAgainSoon(): void {
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      void this.#readAgain();
    }, readAgainMs);
  }

  async #readAgain(): Promise<void> {
    const { state } = this.#holder;
    if ([...state.stores.values()].some(({ counts }) => counts.uncertain)) await this.loadRooms();
    for (const [roomId, { log }] of state.stores)
      for (const messageId of log.incomplete) await this.readMessage(roomId, messageId).catch(ignoreRefusal);
  }

  /** Reads one message, as of now. @throws ClientError */
  readMessage(roomId: string, messageId: string): Promise<void> {
    return this.read(
      () => this.#holder.client.message(roomId, messageId),
      (message, during) => this.change(roomId, { type: 'messages', messages: [message], during }),
    );
  }
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof ClientError)) throw error;
}
