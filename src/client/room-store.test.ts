import { expect, test } from 'vitest';
import { createRoomStore, type RoomStore, reduceRoom, roomMessages, threadMessages } from './room-store.ts';
import type { Message, OwnRoom, RoomEvent, RoomEventData } from './types.ts';

const ana = { id: 'ana', username: 'ana', displayName: 'Ana', avatarUrl: null };
const ben = { id: 'ben', username: 'ben', displayName: 'Ben', avatarUrl: null };
const at = (seq: number) => `2026-01-01T00:00:${String(seq).padStart(2, '0')}.000Z`;

function message(seq: number, changes: Partial<Message> = {}): Message {
  const own = { id: `m${seq}`, roomId: 'r', seq, sender: ben, text: `text ${seq}`, html: `<p>text ${seq}</p>` };
  const plain = { mentions: [], mentionsAll: null, replyTo: null, replyCount: 0, threadId: null, thread: null };
  const rest = { attachments: [], reactions: [], pinned: false, clientId: null, editedAt: null, deletedAt: null };
  return { ...own, ...plain, ...rest, createdAt: at(seq), ...changes };
}

function event<Type extends keyof RoomEventData>(seq: number, type: Type, data: RoomEventData[Type]): RoomEvent {
  return { type, roomId: 'r', seq, at: at(seq), data } as RoomEvent;
}
const created = (seq: number, changes?: Partial<Message>) =>
  event(seq, 'message.created', { message: message(seq, changes) });

const room: OwnRoom = {
  ...{ id: 'r', kind: 'room', name: 'Garden', topic: '', visibility: 'private', history: 'all', slowModeSeconds: 0 },
  ...{ pins: 'members', receipts: false, seq: 0, memberCount: 2, createdAt: at(0) },
  ...{ role: 'member', unread: 0, mentions: 0, lastReadSeq: 0, readVersion: 0, lastMessage: null },
};

function after(...events: readonly RoomEvent[]): RoomStore {
  return applyAll(createRoomStore('ana', room), events);
}
function applyAll(store: RoomStore, events: readonly RoomEvent[]): RoomStore {
  return events.reduce((each, next) => reduceRoom(each, { type: 'event', event: next }), store);
}
const texts = (messages: readonly Message[]) => messages.map(({ text }) => text);
const reactionsOf = (store: RoomStore, seq: number) => store.log.messages.find((each) => each.seq === seq)?.reactions;

test('messages are in seq order, and thread messages are in the room only when they are meant for it', () => {
  const store = after(
    created(1),
    created(2, { threadId: 'm1', sender: ana }),
    created(3, { threadId: 'm1', alsoInRoom: true }),
    created(4),
  );
  expect(texts(roomMessages(store))).toEqual(['text 1', 'text 3', 'text 4']);
  expect(texts(threadMessages(store, 'm1'))).toEqual(['text 2', 'text 3']);
  expect(roomMessages(store)[0]?.thread).toEqual({
    replyCount: 2,
    lastReplyAt: at(3),
    userIds: ['ben', 'ana'],
    lastSeq: 3,
  });
  expect(store.room).toMatchObject({ unread: 3, seq: 4, lastMessage: { id: 'm4' } });
});

test('a deleted message is a tombstone that keeps its thread, and the event brings the summary of the thread', () => {
  const replied = after(created(1, { pinned: true }), created(2, { threadId: 'm1' }), created(3, { replyTo: 'm1' }));
  expect(replied.log.messages[0]).toMatchObject({ replyCount: 1, thread: { replyCount: 1 } });
  const summary = { threadId: 'm1', replyCount: 0, lastReplyAt: null, userIds: [], lastSeq: 0 };
  const store = applyAll(replied, [
    event(4, 'message.deleted', { messageId: 'm2', by: 'ben', thread: summary }),
    event(5, 'message.deleted', { messageId: 'm3', by: 'ben' }),
    event(6, 'message.deleted', { messageId: 'm1', by: 'ben' }),
  ]);
  expect(store.log.messages[0]).toMatchObject({ text: '', html: '', pinned: false, thread: null, replyCount: 0 });
  expect(store.log.messages[0]?.deletedAt).toBe(at(6));
  expect(store.room?.unread).toBe(0);
});

test('a restored reply counts again, and an edit keeps what events do not tell', () => {
  const poll = { question: 'q', options: ['a', 'b'], multiple: false, anonymous: false, closesAt: null };
  const voted = { ...poll, closedAt: null, results: [{ count: 1 }, { count: 0 }] };
  const store = applyAll(reduceRoom(after(created(1), created(2, { replyTo: 'm1', poll: voted })), vote('m2', [0])), [
    event(3, 'message.deleted', { messageId: 'm1', by: 'ben' }),
    event(4, 'message.updated', { message: message(1, { text: 'restored' }) }),
    event(5, 'message.updated', { message: message(2, { text: 'edited', replyTo: 'm1', poll: voted }) }),
    event(6, 'poll.updated', { messageId: 'm2', poll: { ...voted, results: [{ count: 1 }, { count: 1 }] } }),
  ]);
  expect(store.log.messages[0]).toMatchObject({ text: 'restored', replyCount: 1, deletedAt: null });
  expect(store.log.messages[1]).toMatchObject({
    text: 'edited',
    poll: { own: [0], results: [{ count: 1 }, { count: 1 }] },
  });
});
function vote(messageId: string, own: readonly number[]) {
  return { type: 'voted', messageId, own } as const;
}

test('reactions are counted once, in the order in which they came', () => {
  const store = after(
    created(1),
    event(2, 'reaction.added', { messageId: 'm1', emoji: '👍', userId: 'ben' }),
    event(3, 'reaction.added', { messageId: 'm1', emoji: '🎉', userId: 'ana' }),
    event(4, 'reaction.added', { messageId: 'm1', emoji: '👍', userId: 'ana' }),
  );
  expect(reactionsOf(store, 1)).toEqual([
    { emoji: '👍', count: 2, userIds: ['ben', 'ana'] },
    { emoji: '🎉', count: 1, userIds: ['ana'] },
  ]);
  const left = applyAll(store, [event(5, 'reaction.removed', { messageId: 'm1', emoji: '🎉', userId: 'ana' })]);
  expect(reactionsOf(left, 1)).toEqual([{ emoji: '👍', count: 2, userIds: ['ben', 'ana'] }]);
  expect(left.log.incomplete.size).toBe(0);
});

test('beyond twenty people the next one is read again, not guessed', () => {
  const people = Array.from({ length: 22 }, (_, index) => `user ${index}`);
  const added = people.map((userId, index) =>
    event(index + 2, 'reaction.added', { messageId: 'm1', emoji: '👍', userId }),
  );
  const store = after(created(1), ...added);
  expect(reactionsOf(store, 1)).toEqual([{ emoji: '👍', count: 22, userIds: people.slice(0, 20) }]);
  const unnamed = applyAll(store, [event(30, 'reaction.removed', { messageId: 'm1', emoji: '👍', userId: 'user 21' })]);
  expect(reactionsOf(unnamed, 1)?.[0]?.count).toBe(21);
  expect(unnamed.log.incomplete.size).toBe(0);
  const named = applyAll(store, [event(30, 'reaction.removed', { messageId: 'm1', emoji: '👍', userId: 'user 3' })]);
  expect([...named.log.incomplete]).toEqual(['m1']);
  const fresh = message(1, { reactions: [{ emoji: '👍', count: 21, userIds: people.slice(1, 21) }] });
  const read = reduceRoom(named, { type: 'messages', messages: [fresh] });
  expect(reactionsOf(read, 1)).toEqual(fresh.reactions);
  expect(read.log.incomplete.size).toBe(0);
});

test('a page that was read while events came contains each of them once', () => {
  const reacted = event(3, 'reaction.added', { messageId: 'm1', emoji: '👍', userId: 'ben' });
  const replied = created(4, { threadId: 'm1' });
  const thread = { replyCount: 1, lastReplyAt: at(4), userIds: ['ben'], lastSeq: 4 };
  const reactions = [{ emoji: '👍', count: 1, userIds: ['ben'] }];
  for (const read of [message(1), message(1, { reactions }), message(1, { reactions, thread })]) {
    const store = reduceRoom(after(reacted, replied), {
      type: 'messages',
      messages: [read],
      during: [reacted, replied],
    });
    expect(store.log.messages[0]).toMatchObject({ reactions, thread });
    expect(texts(threadMessages(store, 'm1'))).toEqual(['text 4']);
  }
});

test('a reply that is deleted while the message it answers is read makes that one incomplete', () => {
  const gone = event(10, 'message.deleted', { messageId: 'm9', by: 'ben' });
  // The older page was read before the deletion, or after it.
  for (const replyCount of [1, 0]) {
    const newest = reduceRoom(createRoomStore('ana', room), {
      type: 'messages',
      messages: [message(9, { replyTo: 'm1' })],
    });
    const store = reduceRoom(applyAll(newest, [gone]), {
      type: 'messages',
      messages: [message(1, { replyCount })],
      during: [gone],
    });
    expect([...store.log.incomplete]).toEqual(['m1']);
  }
  // On one page they are of one moment.
  const page = { type: 'messages', messages: [message(1, { replyCount: 1 }), message(9, { replyTo: 'm1' })] } as const;
  const whole = reduceRoom(createRoomStore('ana', room), { ...page, during: [gone] });
  expect(whole.log).toMatchObject({ incomplete: new Set(), messages: [{ replyCount: 0 }, { id: 'm9' }] });
});

test('a reply that an older page has counted is not counted again when its event comes', () => {
  // The newest page was read before the reply, and the older one after it.
  const pages = [
    { messages: [message(9)], seq: 9 },
    { messages: [message(1, { replyCount: 1 })], seq: 10 },
  ];
  const read = pages.reduce(
    (store, page) => reduceRoom(store, { type: 'messages', ...page }),
    createRoomStore('ana', room),
  );
  const replied = applyAll(read, [created(10, { replyTo: 'm1' })]);
  expect(replied.log.messages.map(({ replyCount }) => replyCount)).toEqual([1, 0, 0]);
  const again = applyAll(replied, [created(11, { replyTo: 'm1' })]);
  expect(again.log.messages[0]).toMatchObject({ replyCount: 2 });
  expect(again.log.incomplete.size).toBe(0);
  // A deletion may be in the count already.
  expect([...applyAll(again, [event(12, 'message.deleted', { messageId: 'm11', by: 'ben' })]).log.incomplete]).toEqual([
    'm1',
  ]);
});

test('what is unread follows edits, deletions and the read marker, or is known to be uncertain', () => {
  const store = after(
    created(1, { mentions: ['ana'] }),
    created(2, { sender: ana }),
    created(3, { threadId: 'm1', mentionsAll: 'room' }),
  );
  expect(store.room).toMatchObject({ unread: 1, mentions: 2 });
  const edited = applyAll(store, [event(4, 'message.updated', { message: message(1) })]);
  expect(edited.room).toMatchObject({ unread: 1, mentions: 1 });
  const deleted = applyAll(edited, [event(5, 'message.deleted', { messageId: 'm3', by: 'ben' })]);
  expect(deleted.room).toMatchObject({ unread: 1, mentions: 0 });
  const read = reduceRoom(deleted, { type: 'read', read: { lastReadSeq: 5, unread: 0, mentions: 0 } });
  const readOn = applyAll(read, [event(6, 'message.deleted', { messageId: 'm1', by: 'ben' })]);
  expect(readOn).toMatchObject({ room: { unread: 0 }, counts: { uncertain: false } });
  const strange = applyAll(deleted, [event(6, 'message.deleted', { messageId: 'older', by: 'ben' })]);
  expect(strange.counts.uncertain).toBe(true);
  const again = reduceRoom(strange, { type: 'room', room: { ...room, seq: 6, unread: 1 } });
  expect(again).toMatchObject({ counts: { uncertain: false }, room: { unread: 1 } });
});

test('members, pins, settings and receipts follow their events', () => {
  const member = { user: ana, role: 'owner', mutedUntil: null } as const;
  let store = reduceRoom(after(created(1)), { type: 'members', members: [member] });
  store = reduceRoom(store, { type: 'pins', messages: [] });
  store = applyAll(store, [
    event(2, 'member.joined', { user: ben, role: 'member', by: 'ben' }),
    event(3, 'member.updated', { user: ana, role: 'moderator', by: 'ben', mutedUntil: null }),
    event(4, 'message.pinned', { messageId: 'm1', by: 'ben' }),
    event(5, 'room.updated', { by: 'ben', room: { ...room, name: 'Orchard', receipts: true } }),
  ]);
  expect([...store.members!.values()].map(({ role }) => role)).toEqual(['moderator', 'member']);
  expect(store.pinnedIds).toEqual(['m1']);
  expect(store.log.messages[0]?.pinned).toBe(true);
  expect(store.room).toMatchObject({ name: 'Orchard', receipts: true, role: 'moderator', memberCount: 3 });
  store = reduceRoom(store, { type: 'receipt', receipt: { userId: 'ben', lastReadSeq: 4 } });
  expect(store.receipts.get('ben')?.lastReadSeq).toBe(4);
  store = applyAll(store, [
    event(6, 'member.left', { userId: 'ben', by: 'ben', reason: 'left' }),
    event(7, 'message.unpinned', { messageId: 'm1', by: 'ana' }),
  ]);
  expect([...store.members!.keys()]).toEqual(['ana']);
  expect(store.pinnedIds).toEqual([]);
  // A resume brings both: the user left as a moderator, and joined again.
  store = applyAll(store, [
    event(8, 'member.left', { userId: 'ana', by: 'ana', reason: 'left' }),
    event(9, 'member.joined', { user: ana, role: 'member', by: 'ana' }),
  ]);
  expect(store.room).toMatchObject({ role: 'member', memberCount: 2 });
});
