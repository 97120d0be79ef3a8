/**
 * What a client knows of one room, as a pure value: read over REST, changed by events and signals. After the same events it
 * equals what REST answers. It asks nothing of a page, a socket or a clock.
 */

import { addRead, applyDelta, applyToLog, emptyLog, findMessage, isInRoom, type MessageLog } from './message-log.ts';
import { changeRoom } from './room-changes.ts';
import type { Member, Message, MessageDelta, OwnRoom, ReadCounts, ReadState, Receipt, RoomEvent } from './types.ts';
import {
  countEvent,
  createCounts,
  forgetAnswer,
  guessCounts,
  takeAnswer,
  takeBlocked,
  type UnreadCounts,
} from './unread-counts.ts';

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
  /** Where the counts of `room` come from. Where they are `uncertain`, the room is to be read again. */
  readonly counts: UnreadCounts;
}

const nobody: ReadonlySet<string> = new Set();

/** @param blocked the users that the user blocks, as the welcome names them */
export function createRoomStore(me: string | undefined, room?: OwnRoom, blocked = nobody): RoomStore {
  const nothingRead = { members: undefined, pinnedIds: undefined, receipts: new Map() };
  const counts = createCounts(me, blocked);
  return { me, room, log: emptyLog, ...nothingRead, counts: room ? takeAnswer(counts, room) : counts };
}

/** The user is known now: what counts depends on it. */
export function withUser(store: RoomStore, me: string | undefined): RoomStore {
  return { ...store, me, counts: { ...forgetAnswer(store.counts), me } };
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
  /** An answer of the server; without a `seq`: what the user did, before the server has answered. */
  | { readonly type: 'read'; readonly read: ReadState | ReadCounts }
  /** The users that the user blocks, as of now. */
  | { readonly type: 'blocked'; readonly blocked: ReadonlySet<string> }
  /** Events were left out, or the log is another one: earlier answers say nothing of it. */
  | { readonly type: 'reset' }
  | { readonly type: 'delta'; readonly delta: MessageDelta }
  /** The user's own vote, which events do not tell. */
  | { readonly type: 'voted'; readonly messageId: string; readonly own: readonly number[] };

export function reduceRoom(store: RoomStore, change: RoomChange): RoomStore {
  switch (change.type) {
    case 'event':
      return applyEvent(store, change.event);
    case 'messages':
      return { ...store, log: addRead(store.log, change.messages, change.during, change.seq) };
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
      return withCounts(
        store,
        'seq' in change.read ? takeAnswer(store.counts, change.read) : guessCounts(store.counts, change.read),
      );
    case 'blocked':
      return withCounts(store, takeBlocked(store.counts, change.blocked));
    case 'reset':
      return { ...store, counts: forgetAnswer(store.counts) };
    case 'delta':
      return { ...store, log: applyDelta(store.log, change.delta) };
    case 'voted':
      return { ...store, log: takeVote(store.log, change.messageId, change.own) };
  }
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
  const changed = {
    ...store,
    room: store.room && changeRoom(store.room, event, store.me),
    log: applyToLog(store.log, event),
    members: store.members && applyToMembers(store.members, event),
    pinnedIds: store.pinnedIds && applyToPins(store.pinnedIds, event),
  };
  return withCounts(changed, countEvent(store.counts, event, changedMessage(store, event)));
}

function changedMessage({ log, room }: RoomStore, { type, data }: RoomEvent): Message | undefined {
  if (type !== 'message.deleted') return undefined;
  const isLast = room?.lastMessage?.id === data.messageId;
  return findMessage(log, data.messageId) ?? (isLast ? (room?.lastMessage ?? undefined) : undefined);
}

/** The room shows the counts. */
function withCounts(store: RoomStore, counts: UnreadCounts): RoomStore {
  if (counts === store.counts) return store;
  const { room } = store;
  return { ...store, counts, room: room && counts.now !== store.counts.now ? { ...room, ...counts.now } : room };
}

/** Whether the answer contains an event already is known by the room's seq. */
function takeRoom(store: RoomStore, read: OwnRoom, during: readonly RoomEvent[]): RoomStore {
  const counts = takeAnswer(store.counts, read);
  const room = during.reduce((each, event) => changeRoom(each, event, store.me), read);
  return { ...store, counts, room: { ...room, ...counts.now } };
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
