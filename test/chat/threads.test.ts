import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, type Frame, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let [ana, ben, eve]: TestUser[] = [];

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben, eve] = await Promise.all([1, 2, 3].map(() => signUp(parley.url)));
});

interface Thread {
  readonly replyCount: number;
  readonly lastReplyAt: string | null;
  readonly userIds: readonly string[];
  readonly lastSeq: number;
}

interface Message {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly createdAt: string;
  readonly threadId: string | null;
  readonly thread: Thread | null;
  readonly alsoInRoom?: true;
  readonly deletedAt: string | null;
}

const say = async (person: TestUser, room: string, text: string, rest: object = {}) =>
  (await mustCall(person, 'POST', `/v1/rooms/${room}/messages`, {
    clientId: randomUUID(),
    text,
    ...rest,
  })) as unknown as Message;

const page = async (person: TestUser, room: string, query = '') =>
  (await mustCall(person, 'GET', `/v1/rooms/${room}/messages${query}`)) as unknown as {
    messages: Message[];
    hasMore: boolean;
  };
const texts = async (person: TestUser, room: string, query = '') =>
  (await page(person, room, query)).messages.map(({ text }) => text);

const find = async (person: TestUser, room: string, id: string) =>
  (await mustCall(person, 'GET', `/v1/rooms/${room}/messages/${id}`)) as unknown as Message;

const threadOf = (person: TestUser, room: string, id: string) =>
  mustCall(person, 'GET', `/v1/rooms/${room}/messages/${id}/thread`);

const roomOf = async (person: TestUser, room: string) =>
  (await mustCall(person, 'GET', '/v1/rooms')).items!.find(({ id }) => id === room)!;

/** The threads that somebody follows in one room. */
const listed = async (person: TestUser, room: string, query = '?limit=100') =>
  (await mustCall(person, 'GET', `/v1/threads${query}`)).items!.filter(
    (each) => (each.room as { id: string }).id === room,
  );

test('a root carries its thread: how many, when, and the newest five people', async () => {
  const people = await Promise.all([1, 2, 3, 4].map(() => signUp(parley.url)));
  const room = await createRoom([ana!, ben!, ...people]);
  const root = await say(ana!, room, 'shall we plant trees?');
  expect(root).toMatchObject({ threadId: null, thread: null });
  const first = await say(ben!, room, 'yes', { threadId: root.id });
  expect(first).toMatchObject({ threadId: root.id, thread: null });
  // A reply to a reply joins the same thread.
  await say(ana!, room, 'oaks?', { threadId: first.id });
  for (const person of people) await say(person, room, 'beeches', { threadId: root.id });
  const last = await say(ben!, room, 'and limes', { threadId: root.id });
  const thread = {
    replyCount: 7,
    lastReplyAt: last.createdAt,
    userIds: [ben!.id, ...people.toReversed().map(({ id }) => id)],
    lastSeq: last.seq,
  };
  expect((await find(ana!, room, root.id)).thread).toEqual(thread);
  // The same from the newest page, from an older page, and from the thread's own page, which is without the root.
  for (const query of ['', '?before=1000', `?around=${root.seq}`])
    expect((await page(ana!, room, query)).messages.find(({ id }) => id === root.id)?.thread).toEqual(thread);
  expect((await page(ana!, room, `?threadId=${root.id}`)).messages).toHaveLength(7);
  expect(await texts(ana!, room, `?threadId=${first.id}&limit=2`)).toEqual(['beeches', 'and limes']);
});

test('the history of a room leaves messages of threads out without breaking its pages', async () => {
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'room 1');
  for (let n = 1; n <= 6; n++) {
    await say(ben!, room, `thread ${n}`, { threadId: root.id, alsoInRoom: n === 3 });
    if (n % 2 === 0) await say(ana!, room, `room ${n}`);
  }
  const inRoom = ['room 1', 'room 2', 'thread 3', 'room 4', 'room 6'];
  expect(await texts(ben!, room)).toEqual(inRoom);
  expect(await texts(ben!, room, '?threads=all')).toHaveLength(10);
  // Pages backwards and forwards meet every message of the room once, and know where they end.
  const backwards: string[] = [];
  for (let before = 1000, more = true; more; ) {
    const { messages, hasMore } = await page(ben!, room, `?before=${before}&limit=2`);
    backwards.unshift(...messages.map(({ text }) => text));
    before = messages[0]!.seq;
    more = hasMore;
  }
  expect(backwards).toEqual(inRoom);
  const forwards: string[] = [];
  for (let after = 0, more = true; more; ) {
    const { messages, hasMore } = await page(ben!, room, `?after=${after}&limit=2`);
    forwards.push(...messages.map(({ text }) => text));
    after = messages.at(-1)!.seq;
    more = hasMore;
  }
  expect(forwards).toEqual(inRoom);
  // Around a message of a thread: the room's messages on both sides, or the thread's.
  const third = (await page(ben!, room, `?threadId=${root.id}`)).messages[2]!;
  expect(third).toMatchObject({ text: 'thread 3', alsoInRoom: true });
  expect(await texts(ben!, room, `?around=${third.seq}&limit=3`)).toEqual(['room 2', 'thread 3', 'room 4']);
  expect(await texts(ben!, room, `?threadId=${root.id}&around=${third.seq}&limit=3`)).toEqual([
    'thread 2',
    'thread 3',
    'thread 4',
  ]);
  expect(await texts(ben!, room, `?threadId=${root.id}&after=${third.seq}&limit=2`)).toEqual(['thread 4', 'thread 5']);
  expect(await texts(ben!, room, `?threadId=${root.id}&before=${third.seq}`)).toEqual(['thread 1', 'thread 2']);
});

test('messages that are in a thread alone are not the last message of the room and not unread there; mentions are', async () => {
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'the root');
  const before = await roomOf(ben!, room);
  await say(ana!, room, 'in the thread', { threadId: root.id });
  expect(await roomOf(ben!, room)).toMatchObject({
    ...{ unread: before.unread, mentions: 0, lastMessage: { id: root.id } },
  });
  await say(ana!, room, `what do you think, @${ben!.username}?`, { threadId: root.id });
  expect(await roomOf(ben!, room)).toMatchObject({ unread: before.unread, mentions: 1, lastMessage: { id: root.id } });
  const shown = await say(ana!, room, 'for all of you', { threadId: root.id, alsoInRoom: true });
  expect(await roomOf(ben!, room)).toMatchObject({
    ...{ unread: (before.unread as number) + 1, mentions: 1, lastMessage: { id: shown.id } },
  });
  // The mention begins the thread for ben: it and what follows are unread there.
  expect(await threadOf(ben!, room, root.id)).toMatchObject({ following: true, unread: 2, mentions: 1 });
  const socket = await connect(parley.url, ben!);
  const welcomed = (socket.welcome.rooms as Record<string, unknown>[]).find(({ id }) => id === room);
  expect(welcomed).toMatchObject({ unread: (before.unread as number) + 1, mentions: 1 });
  // Reading the room reads the mention there, and leaves the thread as it was.
  const head = (await roomOf(ben!, room)).seq as number;
  expect(await socket.ask({ type: 'read', roomId: room, seq: head })).toMatchObject({ unread: 0, mentions: 0 });
  expect(await threadOf(ben!, room, root.id)).toMatchObject({ unread: 2, mentions: 1 });
  await socket.close();
});

test('writing, being mentioned and having written the root follow a thread; reading does not', async () => {
  const [first, second, third, fourth] = await Promise.all([1, 2, 3, 4].map(() => signUp(parley.url)));
  const room = await createRoom([first!, second!, third!, fourth!]);
  const root = await say(first!, room, 'root');
  const reply = await say(second!, room, `hello @${third!.username}`, { threadId: root.id });
  const followers = async () =>
    Promise.all(
      [first!, second!, third!, fourth!].map(async (each) => (await threadOf(each, room, root.id)).following),
    );
  expect(await followers()).toEqual([true, true, true, false]);
  expect(await mustCall(fourth!, 'PUT', `/v1/rooms/${room}/messages/${root.id}/thread/read`, { seq: 1000 })).toEqual({
    ...{ threadId: root.id, following: false, lastReadSeq: reply.seq, unread: 0, mentions: 0 },
  });
  expect(await followers()).toEqual([true, true, true, false]);
  // The writer's own message is read; for the author of the root all of the thread is unread.
  expect(await threadOf(first!, room, root.id)).toMatchObject({ unread: 1, lastReadSeq: 0 });
  expect(await threadOf(second!, room, root.id)).toMatchObject({ unread: 0, lastReadSeq: reply.seq });
  // An author who reads the empty thread of their message follows it with the first reply.
  const other = await say(first!, room, 'another root');
  await mustCall(first!, 'PUT', `/v1/rooms/${room}/messages/${other.id}/thread/read`, { seq: other.seq });
  await say(second!, room, 'a reply', { threadId: other.id });
  expect(await threadOf(first!, room, other.id)).toMatchObject({ following: true, unread: 1 });
  expect((await listed(first!, room)).map(({ threadId }) => threadId)).toEqual([other.id, root.id]);
  expect(await listed(fourth!, room)).toEqual([]);
});

test('who stopped following hears no more of a thread until they are mentioned or write there', async () => {
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'root');
  await say(ben!, room, 'one', { threadId: root.id });
  const path = `/v1/rooms/${room}/messages/${root.id}/thread/follow`;
  expect(await mustCall(ana!, 'DELETE', path)).toMatchObject({ following: false, threadId: root.id });
  await say(ben!, room, 'two', { threadId: root.id });
  expect(await listed(ana!, room)).toEqual([]);
  await say(ben!, room, `three, @${ana!.username}`, { threadId: root.id });
  expect(await listed(ana!, room)).toMatchObject([{ threadId: root.id, unread: 3, mentions: 1 }]);
  await mustCall(ana!, 'DELETE', path);
  await say(ana!, room, 'four', { threadId: root.id });
  expect(await listed(ana!, room)).toMatchObject([{ threadId: root.id, following: true }]);
  // Followed by hand, a thread begins at its newest message; before the first reply it is followed, and not listed.
  const quiet = await say(ana!, room, 'nobody answers');
  await say(ana!, room, 'five', { threadId: root.id });
  expect(await mustCall(ben!, 'PUT', `/v1/rooms/${room}/messages/${quiet.id}/thread/follow`)).toMatchObject({
    ...{ threadId: quiet.id, following: true, unread: 0 },
  });
  expect((await listed(ben!, room)).map(({ threadId }) => threadId)).toEqual([root.id]);
  await say(ana!, room, 'but myself', { threadId: quiet.id });
  expect(await listed(ben!, room)).toMatchObject([{ threadId: quiet.id, unread: 1 }, { threadId: root.id }]);
});

test('the read marker of a thread moves forward only, and all devices of the user learn of it', async () => {
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'root');
  const replies: Message[] = [];
  for (let n = 0; n < 4; n++) replies.push(await say(ben!, room, `reply ${n}`, { threadId: root.id }));
  const [socket, other] = await Promise.all([connect(parley.url, ana!), connect(parley.url, ben!)]);
  const read = (seq: number) => socket.ask({ type: 'thread.read', roomId: room, messageId: root.id, seq });
  expect(await read(replies[1]!.seq)).toMatchObject({ type: 'ack', unread: 2, lastReadSeq: replies[1]!.seq });
  expect(await read(1)).toMatchObject({ unread: 2, lastReadSeq: replies[1]!.seq });
  // Any message of the thread names it.
  const path = `/v1/rooms/${room}/messages/${replies[2]!.id}/thread/read`;
  const many = await Promise.all(replies.map(({ seq }) => mustCall(ana!, 'PUT', path, { seq })));
  expect(many.map(({ lastReadSeq }) => lastReadSeq).at(-1)).toBe(replies[3]!.seq);
  await socket.until((frame) => frame.type === 'thread.updated' && (frame.data as { unread: number }).unread === 0);
  const ofThread = (frame: Frame) => frame.type === 'thread.updated' && frame.roomId === room;
  expect(socket.frames.find(ofThread)).toEqual({
    ...{ type: 'thread.updated', roomId: room },
    data: {
      ...{ userId: ana!.id, threadId: root.id, following: true },
      ...{ lastReadSeq: replies[1]!.seq, unread: 2, mentions: 0 },
    },
  });
  await socket.ask({ type: 'thread.follow', roomId: room, messageId: root.id, following: false });
  await socket.until((frame) => ofThread(frame) && (frame.data as { following: boolean }).following === false);
  // Never past the head of the room, and nobody else hears of it.
  expect(await read(1_000_000)).toMatchObject({ lastReadSeq: replies[3]!.seq });
  await say(ana!, room, 'marker');
  await other.until((frame) => frame.type === 'message.created' && frame.roomId === room);
  expect(other.frames.filter(ofThread)).toEqual([]);
  await Promise.all([socket.close(), other.close()]);
});

test('deletions, removals and restorations carry the thread as it is after them', async () => {
  const room = await createRoom([ana!, ben!, eve!]);
  const root = await say(ana!, room, 'root');
  const byBen = await say(ben!, room, 'by ben', { threadId: root.id });
  const byEve = await say(eve!, room, 'by eve', { threadId: root.id });
  const socket = await connect(parley.url, ana!);
  await mustCall(eve!, 'DELETE', `/v1/rooms/${room}/messages/${byEve.id}`);
  const deleted = await socket.until((frame) => frame.type === 'message.deleted');
  const left = { replyCount: 1, lastReplyAt: byBen.createdAt, userIds: [ben!.id], lastSeq: byBen.seq };
  expect(deleted.data).toEqual({
    messageId: byEve.id,
    by: eve!.id,
    threadId: root.id,
    thread: { threadId: root.id, ...left },
  });
  expect((await find(ana!, room, root.id)).thread).toEqual(left);
  // A tombstone keeps its place in the thread.
  expect((await page(ana!, room, `?threadId=${root.id}`)).messages).toMatchObject([
    { id: byBen.id },
    { id: byEve.id, threadId: root.id, deletedAt: expect.any(String), text: '' },
  ]);
  // Removed by a moderator of the room, and restored.
  await mustCall(eve!, 'POST', `/v1/rooms/${room}/messages/${byBen.id}/report`, { reason: 'rude' });
  const { items } = await mustCall(ana!, 'GET', `/v1/moderation/queue?roomId=${room}`);
  const entry = items!.find((each) => JSON.stringify(each).includes(byBen.id))!;
  await mustCall(ana!, 'POST', `/v1/moderation/queue/${entry.id as string}`, { decision: 'remove' });
  const removed = await socket.until((frame) => frame.type === 'message.deleted' && frame.seq !== deleted.seq);
  const none = { replyCount: 0, lastReplyAt: null, userIds: [], lastSeq: 0 };
  expect(removed.data).toEqual({
    messageId: byBen.id,
    by: ana!.id,
    threadId: root.id,
    thread: { threadId: root.id, ...none },
  });
  // Without any message left there is no thread to show, and nothing to list.
  expect((await find(ana!, room, root.id)).thread).toBeNull();
  expect(await listed(ana!, room)).toEqual([]);
  await mustCall(ana!, 'POST', `/v1/moderation/queue/${entry.id as string}`, { decision: 'approve' });
  const restored = await socket.until((frame) => frame.type === 'message.updated');
  expect(restored.data).toMatchObject({
    message: { id: byBen.id, text: 'by ben', threadId: root.id },
    thread: { threadId: root.id, ...left },
  });
  expect((await find(ana!, room, root.id)).thread).toEqual(left);
  // The same from the log.
  const { events } = (await mustCall(ana!, 'GET', `/v1/rooms/${room}/events?after=${byEve.seq}`)) as unknown as {
    events: Frame[];
  };
  expect(events.map(({ data }) => data)).toEqual([deleted.data, removed.data, restored.data]);
  await socket.close();
});

test('a deleted root keeps its thread; a message deleted before any reply starts none', async () => {
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'root');
  const reply = await say(ben!, room, 'reply', { threadId: root.id });
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/messages/${root.id}`);
  await say(ben!, room, 'still here', { threadId: reply.id });
  const tombstone = await find(ben!, room, root.id);
  expect(tombstone).toMatchObject({ text: '', deletedAt: expect.any(String), thread: { replyCount: 2 } });
  expect(await texts(ben!, room, `?threadId=${root.id}`)).toEqual(['reply', 'still here']);
  expect(await listed(ana!, room)).toMatchObject([{ threadId: root.id, unread: 2, message: { text: '' } }]);
  const alone = await say(ana!, room, 'alone');
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/messages/${alone.id}`);
  const late = { clientId: 'late', text: 'too late', threadId: alone.id };
  expect(await ben!.call('POST', `/v1/rooms/${room}/messages`, late)).toMatchObject({
    ...{ status: 404, body: { code: 'not_found', errors: [{ path: '/threadId' }] } },
  });
  const follow = await ben!.call('PUT', `/v1/rooms/${room}/messages/${alone.id}/thread/follow`);
  expect(follow).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('the list has the newest activity first, its cursor is stable, and threads that may not be read are absent', async () => {
  const person = await signUp(parley.url);
  const room = await createRoom([ana!, person], { history: 'joined' });
  const roots: Message[] = [];
  for (let n = 0; n < 5; n++) roots.push(await say(person, room, `root ${n}`));
  for (const n of [3, 1, 4, 0, 2]) await say(ana!, room, `reply to ${n}`, { threadId: roots[n]!.id });
  const first = await mustCall(person, 'GET', '/v1/threads?limit=2');
  const textsOf = (items: readonly Record<string, unknown>[]) => items.map(({ message }) => (message as Message).text);
  expect(textsOf(first.items!)).toEqual(['root 2', 'root 0']);
  expect(first.items![0]).toEqual({
    ...{ threadId: roots[2]!.id, following: true, lastReadSeq: 0, unread: 1, mentions: 0 },
    ...{ roomId: room, room: { id: room, kind: 'room', name: 'Test room' }, lastSeq: expect.any(Number) },
    message: expect.objectContaining({ id: roots[2]!.id, thread: expect.objectContaining({ replyCount: 1 }) }),
  });
  // A thread that moves to the front while the list is read is not met twice.
  await say(ana!, room, 'again', { threadId: roots[0]!.id });
  const second = await mustCall(person, 'GET', `/v1/threads?limit=2&cursor=${first.nextCursor as string}`);
  const third = await mustCall(person, 'GET', `/v1/threads?limit=2&cursor=${second.nextCursor as string}`);
  expect([...textsOf(second.items!), ...textsOf(third.items!)]).toEqual(['root 4', 'root 1', 'root 3']);
  expect(third.nextCursor).toBeNull();
  // Only what is unread.
  await mustCall(person, 'PUT', `/v1/rooms/${room}/messages/${roots[4]!.id}/thread/read`, { seq: 1000 });
  await say(person, room, 'my own words', { threadId: roots[4]!.id });
  expect(textsOf((await mustCall(person, 'GET', '/v1/threads?unread=true')).items!)).toEqual([
    ...['root 0', 'root 2', 'root 1', 'root 3'],
  ]);
  // Out of the room: no thread. Back again: those that began before are not theirs to read.
  await mustCall(person, 'DELETE', `/v1/rooms/${room}/members/me`);
  expect((await mustCall(person, 'GET', '/v1/threads')).items).toEqual([]);
  const readState = await person.call('GET', `/v1/rooms/${room}/messages/${roots[0]!.id}/thread`);
  expect(readState).toMatchObject({ status: 404 });
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${person.id}`, {});
  expect((await mustCall(person, 'GET', '/v1/threads')).items).toEqual([]);
  for (const path of ['thread', '']) {
    const answer = await person.call('GET', `/v1/rooms/${room}/messages/${roots[0]!.id}/${path}`.replace(/\/$/, ''));
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
  const late = { clientId: 'x', text: 'I read it once', threadId: roots[0]!.id };
  expect(await person.call('POST', `/v1/rooms/${room}/messages`, late)).toMatchObject({ status: 404 });
});

test('what was written before joining is not unread in a thread', async () => {
  const person = await signUp(parley.url);
  const room = await createRoom([ana!, ben!]);
  const root = await say(ana!, room, 'root');
  await say(ben!, room, 'before', { threadId: root.id });
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${person.id}`, {});
  await say(ben!, room, `after, @${person.username}`, { threadId: root.id });
  expect(await threadOf(person, room, root.id)).toMatchObject({ following: true, unread: 1, mentions: 1 });
  await mustCall(person, 'DELETE', `/v1/rooms/${room}/members/me`);
  await say(ben!, room, 'while they were away', { threadId: root.id });
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${person.id}`, {});
  expect(await threadOf(person, room, root.id)).toMatchObject({ following: true, unread: 0, mentions: 0 });
});

test('a thread belongs to its room, and to it alone', async () => {
  const [room, other] = await Promise.all([createRoom([ana!, ben!]), createRoom([ana!])]);
  const root = await say(ana!, other, 'elsewhere');
  const wrong = await ben!.call('POST', `/v1/rooms/${room}/messages`, {
    ...{ clientId: 'k', text: 'x', threadId: root.id },
  });
  expect(wrong).toMatchObject({ status: 404, body: { errors: [{ path: '/threadId' }] } });
  for (const query of [`?threadId=${root.id}`, `?threadId=${randomUUID()}`])
    expect(await ben!.call('GET', `/v1/rooms/${room}/messages${query}`)).toMatchObject({ status: 404 });
  const alone = await ben!.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'k', text: 'x', alsoInRoom: true });
  expect(alone).toMatchObject({ status: 400, body: { errors: [{ path: '/alsoInRoom' }] } });
  expect(await ben!.call('GET', '/v1/threads?cursor=nonsense')).toMatchObject({ status: 400 });
  expect(await ben!.call('GET', '/v1/threads?unread=perhaps')).toMatchObject({ status: 400 });
});
