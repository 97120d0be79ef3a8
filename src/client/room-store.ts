/**
 * What a client knows of one room, as a pure value: read over REST, changed by events and signals. After the same events it
 * equals what REST answers. It asks nothing of a page, a socket or a clock.
 */

import { addRead, applyDelta, applyToLog, emptyLog, findMessage, isInRoom, type MessageLog } from './message-log.ts';
import { countInRoom } from './room-counts.ts';
import type { Member, Message, MessageDelta, OwnRoom, ReadState, Receipt, RoomEvent } from './types.ts';

export interface RoomStore {
  /** The user who reads. */
  readonly me: string | undefined;
  /** Of the user's list; undefined while it is not known. */
  readonly room: OwnRoom | undefined;
  readonly log: MessageLog;
  /** By user id; undefined while they were not read. */
  readonly members: ReadonlyMap<string, Member> | undefined;
  /** The newest pin first, as the messages themselves say; undefined while they were not read. */
  readonly pinnedIds: readonly string[] | undefined;
  /** By user id. */
  readonly receipts: ReadonlyMap<string, Receipt>;
  /** An event did not tell the counts of `room`: it is to be read again. */
  readonly countsUncertain: boolean;
}

export function createRoomStore(me: string | undefined, room?: OwnRoom): RoomStore {
  const nothingRead = { members: undefined, pinnedIds: undefined, receipts: new Map(), countsUncertain: false };
  return { me, room, log: emptyLog, ...nothingRead };
}

/** What was read over REST, or the server signalled. */
export type RoomChange =
  | { readonly type: 'event'; readonly event: RoomEvent }
  /** `during`: the events since the read began. Beyond `seq` the answer may contain them already, or not. */
  | {
      readonly type: 'messages';
      readonly messages: readonly Message[];
      readonly seq?: number;
      readonly during?: readonly RoomEvent[];
    }
  | { readonly type: 'room'; readonly room: OwnRoom; readonly during?: readonly RoomEvent[] }
  | { readonly type: 'members'; readonly members: readonly Member[]; readonly during?: readonly RoomEvent[] }
  /** The newest pin first. */
  | { readonly type: 'pins'; readonly messages: readonly Message[]; readonly during?: readonly RoomEvent[] }
  | { readonly type: 'receipts'; readonly receipts: readonly Receipt[] }
  | { readonly type: 'receipt'; readonly receipt: Receipt }
  | { readonly type: 'read'; readonly read: ReadState }
  | { readonly type: 'delta'; readonly delta: MessageDelta }
  /** The user's own vote, which events do not tell. */
  | { readonly type: 'voted'; readonly messageId: string; readonly own: readonly number[] };

export function reduceRoom(store: RoomStore, change: RoomChange): RoomStore {
  switch (change.type) {
    case 'event':
      return applyEvent(store, change.event);
    case 'messages':
      return { ...store, log: addRead(store.log, change.messages, eventsAfter(change.seq, change.during)) };
    case 'room':
      return takeRoom(store, change.room, change.during ?? []);
    case 'members':
      return takeMembers(store, change.members, change.during ?? []);
    case 'pins':
      return takePins(store, change.messages, change.during ?? []);
    case 'receipts':
      return { ...store, receipts: new Map(change.receipts.map((each) => [each.userId, each])) };
    case 'receipt':
      return { ...store, receipts: advance(store.receipts, change.receipt) };
    case 'read':
      return store.room ? { ...store, room: { ...store.room, ...change.read } } : store;
    case 'delta':
      return { ...store, log: applyDelta(store.log, change.delta) };
    case 'voted':
      return { ...store, log: takeVote(store.log, change.messageId, change.own) };
  }
}

function eventsAfter(seq = 0, events: readonly RoomEvent[] = []): readonly RoomEvent[] {
  return events.filter((event) => event.seq > seq);
}

/** The history of the room itself between two seqs, without messages that are in a thread alone. */
export function roomMessages({ log }: RoomStore, { from = 0, to = Number.POSITIVE_INFINITY } = {}): readonly Message[] {
  return log.messages.filter((each) => each.seq >= from && each.seq <= to && isInRoom(each));
}

/** The known messages of a thread, without the one that starts it. */
export function threadMessages({ log }: RoomStore, threadId: string): readonly Message[] {
  return log.messages.filter((each) => each.threadId === threadId);
}

export function knownMessage({ log }: RoomStore, messageId: string): Message | undefined {
  return findMessage(log, messageId);
}

function applyEvent(store: RoomStore, event: RoomEvent): RoomStore {
  const counted = store.room && countInRoom(store.room, event, { me: store.me, before: messageBefore(store, event) });
  return {
    ...store,
    room: counted?.room ?? store.room,
    countsUncertain: store.countsUncertain || (counted?.uncertain ?? false),
    log: applyToLog(store.log, event),
    members: store.members && applyToMembers(store.members, event),
    pinnedIds: store.pinnedIds && applyToPins(store.pinnedIds, event),
  };
}

function messageBefore({ log, room }: RoomStore, { type, data }: RoomEvent): Message | undefined {
  const messageId = type === 'message.updated' ? data.message.id : type === 'message.deleted' ? data.messageId : '';
  const isLast = room?.lastMessage?.id === messageId;
  return findMessage(log, messageId) ?? (isLast ? (room?.lastMessage ?? undefined) : undefined);
}

/** Whether the answer contains an event already is known by the room's seq. */
function takeRoom(store: RoomStore, room: OwnRoom, during: readonly RoomEvent[]): RoomStore {
  let counted = { room, uncertain: false };
  for (const event of during) {
    const before = messageBefore({ ...store, room: counted.room }, event);
    const next = countInRoom(counted.room, event, { me: store.me, before });
    counted = { room: next.room, uncertain: counted.uncertain || next.uncertain };
  }
  return { ...store, room: counted.room, countsUncertain: counted.uncertain };
}

function takeMembers(store: RoomStore, members: readonly Member[], during: readonly RoomEvent[]): RoomStore {
  const read = new Map(members.map((member) => [member.user.id, member]));
  return { ...store, members: during.reduce<ReadonlyMap<string, Member>>(applyToMembers, read) };
}

function applyToMembers(members: ReadonlyMap<string, Member>, { type, data }: RoomEvent): ReadonlyMap<string, Member> {
  if (type === 'member.left') {
    const left = new Map(members);
    left.delete(data.userId);
    return left;
  }
  if (type !== 'member.joined' && type !== 'member.updated') return members;
  const { user, role, mutedUntil = null } = data;
  return new Map(members).set(user.id, { ...members.get(user.id), user, role, mutedUntil });
}

function takePins(store: RoomStore, messages: readonly Message[], during: readonly RoomEvent[]): RoomStore {
  const read = messages.map(({ id }) => id);
  return {
    ...store,
    log: addRead(store.log, messages, during),
    pinnedIds: during.reduce<readonly string[]>(applyToPins, read),
  };
}

function applyToPins(pinnedIds: readonly string[], { type, data }: RoomEvent): readonly string[] {
  if (type === 'message.pinned') return [data.messageId, ...pinnedIds.filter((id) => id !== data.messageId)];
  if (type !== 'message.unpinned' && type !== 'message.deleted') return pinnedIds;
  return pinnedIds.filter((id) => id !== data.messageId);
}

function advance(receipts: ReadonlyMap<string, Receipt>, receipt: Receipt): ReadonlyMap<string, Receipt> {
  return new Map(receipts).set(receipt.userId, { ...receipts.get(receipt.userId), ...receipt });
}

function takeVote(log: MessageLog, messageId: string, own: readonly number[]): MessageLog {
  const messages = log.messages.map((each) =>
    each.id === messageId && each.poll ? { ...each, poll: { ...each.poll, own } } : each,
  );
  return { ...log, messages };
}
