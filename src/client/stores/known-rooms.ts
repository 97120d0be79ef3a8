/** What is known of each room, and the list of rooms: both follow the events, also while REST answers are on their way. */
import { afterBlock } from '../blocked-users.ts';
import { leave } from '../leave.ts';
import type { ParleyClient as Calls } from '../parley-client.ts';
import { ParleyError } from '../parley-error.ts';
import { createRoomStore, type RoomChange, type RoomStore, reduceRoom, withUser } from '../room-store.ts';
import type { BlockChange, OwnRoom, Profile, RoomEvent } from '../types.ts';
import { createSource, type Loaded, type Source } from './live-store.ts';

/** Messages that are kept of rooms that nobody looks at; of rooms that somebody has looked at, this many times more. */
const unusedMax = 100;
const openedFactor = 10;
/** What events did not tell is read again after this time, for several events at once. */
const readAgainMs = 300;

export interface KnownRoomsOptions {
  readonly calls: Calls;
  readonly userId: () => string | undefined;
  readonly onUse: () => void;
  /** The room's views, if there ever were any: they are told to forget what they show. */
  readonly opened: (roomId: string) => { readonly clear: () => void } | undefined;
}

export class KnownRooms {
  readonly list: Source<Loaded<OwnRoom>>;
  readonly #calls: Calls;
  readonly #opened: KnownRoomsOptions['opened'];
  readonly #userId: () => string | undefined;
  readonly #rooms = new Map<string, Source<RoomStore>>();
  /** People by id, as messages and members name them. */
  readonly #people = new Map<string, Profile>();
  /** For each read that is under way: the events since it began. */
  readonly #reads = new Set<RoomEvent[]>();
  /** The users that the user blocks. */
  #blocked: ReadonlySet<string> = new Set();
  #again: ReturnType<typeof setTimeout> | undefined;
  #loading: Promise<void> | undefined;

  constructor(options: KnownRoomsOptions) {
    this.#opened = options.opened;
    this.#calls = options.calls;
    this.#userId = options.userId;
    this.list = createSource<Loaded<OwnRoom>>({ status: 'idle', items: [] }, { onUse: options.onUse });
  }

  of(roomId: string): Source<RoomStore> {
    const known = this.#rooms.get(roomId);
    if (known) return known;
    const made = createSource(this.#unread());
    this.#rooms.set(roomId, made);
    return made;
  }

  person(userId: string): Profile | undefined {
    return this.#people.get(userId);
  }

  learn(person: Profile): void {
    this.#people.set(person.id, person);
  }

  /** Reads over REST, and gives the answer to `take` with the events that came meanwhile. @throws ParleyError */
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
    const { data, roomId } = event;
    if ('user' in data) this.learn(data.user);
    if ('message' in data) this.learn(data.message.sender);
    if (event.type === 'room.deleted') this.forget(roomId);
    else this.change(roomId, { type: 'event', event });
  }

  change(roomId: string, change: RoomChange): void {
    const source = this.of(roomId);
    const before = source.get();
    const after = this.#trimmed(roomId, source, reduceRoom(before, change));
    source.set(after);
    if (change.type === 'messages') for (const { sender } of change.messages) this.learn(sender);
    if (change.type === 'members') for (const { user } of change.members) this.learn(user);
    if (after.room && after.room !== before.room && this.list.get().status !== 'idle') this.#list();
    if (after.counts.uncertain || after.log.incomplete.size > 0) this.#readAgainSoon();
  }

  forget(roomId: string): void {
    const source = this.#rooms.get(roomId);
    source?.set(this.#unread());
    this.#list();
  }

  /** A room of which nothing is known yet. */
  #unread(): RoomStore {
    return createRoomStore(this.#userId(), undefined, this.#blocked);
  }

  /** The users that the user blocks, as of now: their mentions of everybody do not count. */
  setBlocked(blockedIds: Iterable<string>): void {
    this.#blocked = new Set(blockedIds);
    for (const roomId of this.#rooms.keys()) this.change(roomId, { type: 'blocked', blocked: this.#blocked });
  }

  changeBlocked(change: BlockChange): void {
    this.setBlocked(afterBlock(this.#blocked, change));
  }

  /** The user is known now: what counts as unread depends on it. */
  userKnown(): void {
    const me = this.#userId();
    for (const source of this.#rooms.values()) source.set(withUser(source.get(), me));
  }

  /** Another user: nothing that is known may be shown to them. */
  clear(): void {
    this.#blocked = new Set();
    for (const source of this.#rooms.values()) source.set(this.#unread());
    this.#people.clear();
    this.list.set({ status: 'idle', items: [] });
  }

  /** Reads the list of rooms. Never rejects: the list says what went wrong. */
  async loadRooms(): Promise<void> {
    this.#loading ??= this.#readRooms().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #readRooms(): Promise<void> {
    const { items } = this.list.get();
    if (this.list.get().status !== 'ready') this.list.set({ status: 'loading', items });
    try {
      await this.read(this.#calls.rooms, (rooms, during) => this.#takeRooms(rooms, during));
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.list.set({ status: 'failed', items: this.list.get().items, error });
    }
  }

  #takeRooms(rooms: readonly OwnRoom[], during: readonly RoomEvent[]): void {
    const listed = new Set(rooms.map(({ id }) => id));
    for (const [roomId, source] of this.#rooms)
      if (source.get().room && !listed.has(roomId)) source.set(this.#unread());
    for (const room of rooms)
      this.change(room.id, { type: 'room', room, during: during.filter(({ roomId }) => roomId === room.id) });
    this.#list();
  }

  /** The rooms, those with the newest messages first. */
  #list(): void {
    const rooms = [...this.#rooms.values()].map((source) => source.get().room).filter((room) => room !== undefined);
    const items = rooms.sort((left, right) => (activityOf(left) < activityOf(right) ? 1 : -1));
    const before = this.list.get();
    const isSame =
      before.status === 'ready' &&
      items.length === before.items.length &&
      items.every((room, index) => room === before.items[index]);
    if (!isSame) this.list.set({ status: 'ready', items });
  }

  #trimmed(roomId: string, source: Source<RoomStore>, store: RoomStore): RoomStore {
    const { messages } = store.log;
    const opened = this.#opened(roomId);
    const keptMax = opened ? unusedMax * openedFactor : unusedMax;
    if (source.isUsed() || messages.length <= 2 * keptMax) return store;
    // What a view calls complete would not be so any more.
    opened?.clear();
    return { ...store, log: { messages: messages.slice(-keptMax), incomplete: new Set() } };
  }

  #readAgainSoon(): void {
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      leave(this.#readAgain());
    }, readAgainMs);
  }

  async #readAgain(): Promise<void> {
    const stores = [...this.#rooms].map(([roomId, source]) => ({ roomId, store: source.get() }));
    if (stores.some(({ store }) => store.counts.uncertain)) await this.loadRooms();
    for (const { roomId, store } of stores)
      for (const messageId of store.log.incomplete) await this.readMessage(roomId, messageId).catch(ignoreRefusal);
  }

  /** Reads one message again. @throws ParleyError */
  async readMessage(roomId: string, messageId: string): Promise<void> {
    await this.read(
      () => this.#calls.message(roomId, messageId),
      (message, all) => {
        const during = all.filter((event) => event.roomId === roomId);
        this.change(roomId, { type: 'messages', messages: [message], during });
      },
    );
  }
}

function activityOf({ lastMessage, createdAt }: OwnRoom): string {
  return lastMessage?.createdAt ?? createdAt;
}

/** The next connection reads everything again. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof ParleyError)) throw error;
}
