/** Compares what a device has built from events with a fresh snapshot over REST. */
import { isDeepStrictEqual } from 'node:util';
import type { Member, Message, OwnRoom, ParleyClient, RoomStore } from '../../src/client/parley-client.ts';
import { type ModelDevice, readMessages } from './model-device.ts';

/** A place where a device and the server differ. */
export interface Difference {
  readonly device: string;
  readonly roomId: string;
  readonly what: string;
  readonly device_: unknown;
  readonly server: unknown;
}

/** What REST says of a room to one user. */
interface RoomSnapshot {
  readonly members: readonly Member[];
  readonly messages: readonly Message[];
  readonly pins: readonly Message[];
}

/**
 * Compares the devices of one user.
 * @param fully ids of rooms whose members, messages and pins are compared too, not only what the list says of the room; default: all
 * @param signalsMayBeLost what only signals tell is not compared where one is missing: they are sent at most once
 * @returns the differences; none when their state is right
 */
export async function compareDevices(
  devices: readonly ModelDevice[],
  { fully, signalsMayBeLost = false }: { fully?: ReadonlySet<string>; signalsMayBeLost?: boolean } = {},
): Promise<Difference[]> {
  const [{ client }] = devices as readonly [ModelDevice];
  await Promise.all(devices.map((device) => device.completeRooms()));
  const rooms = await client.rooms();
  const snapshots = new Map<string, RoomSnapshot>();
  for (const { id } of rooms) if (fully?.has(id) ?? true) snapshots.set(id, await readSnapshot(client, id));
  return devices.flatMap((device) => compareDevice(device, { rooms, snapshots, signalsMayBeLost }));
}

async function readSnapshot(client: ParleyClient, roomId: string): Promise<RoomSnapshot> {
  const pages: (readonly Message[])[] = [];
  const read = readMessages(client, roomId, (page) => pages.unshift(page));
  const [members, pins] = await Promise.all([client.members(roomId), client.pins(roomId), read]);
  return { members, pins, messages: pages.flat() };
}

function compareDevice(
  device: ModelDevice,
  {
    rooms,
    snapshots,
    signalsMayBeLost,
  }: { rooms: readonly OwnRoom[]; snapshots: ReadonlyMap<string, RoomSnapshot>; signalsMayBeLost: boolean },
): Difference[] {
  const known = device.rooms();
  const found: Difference[] = [];
  const report = (roomId: string, what: string, own: unknown, server: unknown) => {
    if (!isDeepStrictEqual(own, server)) found.push({ device: device.name, roomId, what, device_: own, server });
  };
  report('', 'rooms', [...known.keys()].sort(), rooms.map(({ id }) => id).sort());
  for (const room of rooms) {
    const store = known.get(room.id);
    if (!store) continue;
    report(room.id, 'room', store.room && roomView(store.room), roomView(room));
    if (!signalsMayBeLost) report(room.id, 'counts', store.room && countsView(store.room), countsView(room));
    const snapshot = snapshots.get(room.id);
    if (snapshot) compareRoom(store, snapshot, (what, own, server) => report(room.id, what, own, server));
  }
  return found;
}

type Report = (what: string, own: unknown, server: unknown) => void;

function compareRoom(store: RoomStore, { members, messages, pins }: RoomSnapshot, report: Report): void {
  report('members', membersView([...(store.members?.values() ?? [])]), membersView(members));
  const own = new Map(store.log.messages.map((message) => [message.id, message]));
  // Members who joined later get events about messages that they may not read.
  report(
    'pins',
    store.pinnedIds?.filter((id) => own.has(id)),
    pins.map(({ id }) => id),
  );
  report(
    'messages',
    [...own.keys()],
    messages.map(({ id }) => id),
  );
  for (const message of messages) {
    const known = own.get(message.id);
    if (known) report(`message ${message.id} (seq ${message.seq})`, messageView(known), messageView(message));
  }
}

function roomView({ name, topic, visibility, memberCount, seq, role, pins }: OwnRoom) {
  return { name, topic, visibility, memberCount, seq, role, pins };
}

function countsView({ lastReadSeq, unread, mentions }: OwnRoom) {
  return { lastReadSeq, unread, mentions };
}

function membersView(members: readonly Member[]) {
  // A mute ends by itself, without an event.
  const now = new Date().toISOString();
  const views = members.map(({ user, role, mutedUntil }) => [
    user.id,
    role,
    mutedUntil && mutedUntil > now ? mutedUntil : null,
  ]);
  return views.sort(([left], [right]) => (String(left) < String(right) ? -1 : 1));
}

/** Without what differs between two answers: signed links, the profile as of now, and the user's own vote on another device. */
function messageView({ sender, attachments, poll, clientId: _key, ...message }: Message) {
  const { own: _own, ...shownPoll } = poll ?? { own: undefined };
  const files = attachments.map(({ id, name, type, size }) => ({ id, name, type, size }));
  const view = { ...message, senderId: sender.id, files, poll: poll ? shownPoll : undefined };
  return Object.fromEntries(Object.entries(view).sort(([left], [right]) => (left < right ? -1 : 1)));
}
