/**
 * One device of a user in a model run: Parley's own client and its own store of each room, built from what was read over
 * REST when the room appeared, and from events since then.
 */
import {
  afterBlock,
  type BlockChange,
  ClientError,
  createParleyClient,
  createRoomStore,
  type LoginStorage,
  type Message,
  type ParleyClient,
  type ReadState,
  type RoomChange,
  type RoomEvent,
  type RoomStore,
  reduceRoom,
} from '../../src/client/parley-client.ts';
import { untilDone } from '../chaos/patience.ts';

export interface ModelDevice {
  readonly name: string;
  readonly userId: string;
  readonly client: ParleyClient;
  /** The rooms that it knows completely. */
  readonly rooms: () => ReadonlyMap<string, RoomStore>;
  /** Whether it is connected and reads nothing. */
  readonly isSettled: () => boolean;
  /** Reads again what events did not tell. */
  readonly completeRooms: () => Promise<void>;
  /** Takes the answer of a mark of this device, which may come before or after `read.updated` of others. */
  readonly takeRead: (roomId: string, read: ReadState) => void;
  /** How often counts were read again. */
  readonly recounts: () => number;
  /** Reads that failed although the room was open to the user. */
  readonly failures: readonly string[];
  readonly close: () => void;
}

interface OpenRoom {
  store: RoomStore;
  /** Undefined once the room has been read. */
  during: RoomEvent[] | undefined;
}

/** The login of another device of the same user: both share the account, not the connection. */
export function memoryStorage(): LoginStorage {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

export async function startModelDevice(
  url: string,
  account: { readonly username: string; readonly password: string },
  name: string,
): Promise<ModelDevice> {
  const client = createParleyClient({ baseUrl: url, storage: memoryStorage() });
  await untilDone(() => client.login(account.username, account.password));
  const userId = client.user()!.id;
  const open = new Map<string, OpenRoom>();
  const failures: string[] = [];
  let blocked: ReadonlySet<string> = new Set();
  let reading = 0;
  let recounts = 0;

  function change(roomId: string, made: RoomChange): void {
    const room = open.get(roomId);
    if (room) room.store = reduceRoom(room.store, made);
  }

  /** Reads a room that has appeared, or whose events were left out. Tries again while the server cannot be reached. */
  async function read(roomId: string): Promise<void> {
    const room: OpenRoom = { store: createRoomStore(userId, undefined, blocked), during: [] };
    open.set(roomId, room);
    reading += 1;
    const isCurrent = () => open.get(roomId) === room;
    try {
      await untilDone(() =>
        readAllOf(client, roomId, (made) => {
          if (isCurrent()) change(roomId, { ...made, during: room.during ?? [] } as RoomChange);
        }),
      );
      room.during = undefined;
    } catch (error) {
      // The user was removed while the room was read: `room.left` follows, or has come already.
      if (!(error instanceof ClientError) || !['not_found', 'forbidden', 'banned'].includes(error.code))
        failures.push(`${name} reading ${roomId}: ${error}`);
      if (isCurrent()) open.delete(roomId);
    } finally {
      reading -= 1;
    }
  }

  function setBlocked(ids: Iterable<string>): void {
    blocked = new Set(ids);
    for (const roomId of open.keys()) change(roomId, { type: 'blocked', blocked });
  }

  client.on({
    onWelcome: ({ rooms, blockedIds = [] }) => {
      setBlocked(blockedIds);
      const now = new Set(rooms.map(({ id }) => id));
      for (const roomId of [...open.keys()]) if (!now.has(roomId)) open.delete(roomId);
      for (const room of rooms) {
        if (!open.has(room.id)) void read(room.id);
        else change(room.id, { type: 'read', read: room });
      }
    },
    onEvent: (event) => {
      const room = open.get(event.roomId);
      if (!room) return;
      room.during?.push(event);
      change(event.roomId, { type: 'event', event });
    },
    onReset: (roomId) => void read(roomId),
    onSignal: ({ type, roomId, data }) => {
      if (type === 'room.joined' && !open.has(roomId!)) void read(roomId!);
      if (type === 'room.left') open.delete(roomId!);
      if (type === 'read.updated') change(roomId!, { type: 'read', read: data as ReadState });
      if (type === 'block.updated') {
        setBlocked(afterBlock(blocked, data as BlockChange));
      }
    },
  });
  client.connect();

  async function completeRooms(): Promise<void> {
    const uncertain = [...open].filter(([, { store }]) => store.counts.uncertain);
    recounts += uncertain.length;
    const rooms = uncertain.length > 0 ? await client.rooms() : [];
    for (const room of rooms) if (open.get(room.id)?.store.counts.uncertain) change(room.id, { type: 'room', room });
    for (const [roomId, { store }] of open) {
      const during: RoomEvent[] = [];
      for (const messageId of store.log.incomplete) {
        const message = await client.message(roomId, messageId);
        change(roomId, { type: 'messages', messages: [message], during });
      }
    }
  }

  return {
    name,
    userId,
    client,
    rooms: () => new Map([...open].map(([roomId, { store }]) => [roomId, store])),
    isSettled: () => reading === 0 && client.state().name === 'live',
    completeRooms,
    takeRead: (roomId, read) => change(roomId, { type: 'read', read }),
    recounts: () => recounts,
    failures,
    close: () => client.disconnect(),
  };
}

async function readAllOf(client: ParleyClient, roomId: string, take: (made: RoomChange) => void): Promise<void> {
  take({ type: 'members', members: await client.members(roomId) });
  take({ type: 'pins', messages: await client.pins(roomId) });
  await readMessages(client, roomId, (messages, seq) => take({ type: 'messages', messages, seq }));
  const room = (await client.rooms()).find(({ id }) => id === roomId);
  if (room) take({ type: 'room', room });
}

/** All messages of a room, threads included, a page at a time from the newest on. */
export async function readMessages(
  client: ParleyClient,
  roomId: string,
  take: (page: readonly Message[], seq: number) => void,
): Promise<void> {
  for (let before: number | undefined; ; ) {
    const from = before === undefined ? '' : `&before=${before}`;
    const path = `/v1/rooms/${roomId}/messages?threads=all&limit=100${from}`;
    const page = await client.call<{ messages: readonly Message[]; hasMore: boolean; seq: number }>('GET', path);
    take(page.messages, page.seq);
    if (!page.hasMore) return;
    before = page.messages[0]!.seq;
  }
}
