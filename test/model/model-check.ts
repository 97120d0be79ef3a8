/** Compares what a device has built from events with a fresh snapshot over REST. */
import { isDeepStrictEqual } from 'node:util';
import type { Member, Message, OwnRoom, RoomStore } from '../../src/client/parley-client.ts';
import { type ModelDevice, readMessages } from './model-device.ts';

/** A place where a device and the server differ. */
export interface Difference {
  readonly device: string;
  readonly roomId: string;
  readonly what: string;
  readonly device_: unknown;
  readonly server: unknown;
}

/** @returns the differences of one device; none when its state is right */
export async function compareDevice(device: ModelDevice): Promise<Difference[]> {
  await device.completeRooms();
  const rooms = await device.client.rooms();
  const known = device.rooms();
  const found: Difference[] = [];
  const report = (roomId: string, what: string, own: unknown, server: unknown) => {
    if (!isDeepStrictEqual(own, server)) found.push({ device: device.name, roomId, what, device_: own, server });
  };
  report('', 'rooms', [...known.keys()].sort(), rooms.map(({ id }) => id).sort());
  for (const room of rooms) {
    const store = known.get(room.id);
    if (store) await compareRoom(device, store, room, (what, own, server) => report(room.id, what, own, server));
  }
  return found;
}

type Report = (what: string, own: unknown, server: unknown) => void;

async function compareRoom(device: ModelDevice, store: RoomStore, room: OwnRoom, report: Report): Promise<void> {
  report('room', store.room && roomView(store.room), roomView(room));
  const members = await device.client.members(room.id);
  report('members', membersView([...(store.members?.values() ?? [])]), membersView(members));
  const messages: Message[] = [];
  await readMessages(device.client, room.id, (page) => messages.unshift(...page));
  const own = new Map(store.log.messages.map((message) => [message.id, message]));
  const pins = await device.client.pins(room.id);
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

function roomView({ name, topic, visibility, memberCount, seq, role, pins, ...counts }: OwnRoom) {
  const { lastReadSeq, unread, mentions } = counts;
  return { name, topic, visibility, memberCount, seq, role, pins, lastReadSeq, unread, mentions };
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
