/** `@here` and `@room`: who may use them, what they are elsewhere, and whose mentions they count in. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
beforeAll(async () => {
  fleet = await borrowFleet();
});
afterAll(() => fleet.end());

interface Stored {
  readonly id: string;
  readonly seq: number;
  readonly html: string;
  readonly mentions: readonly string[];
  readonly mentionsAll: 'here' | 'room' | null;
}

const people = (count: number) => Promise.all(Array.from({ length: count }, () => signUp(fleet.chats[0]!.url)));
const marked = ({ html }: Stored) =>
  [...html.matchAll(/class="mention" data-username="([^"]+)"/g)].map(([, name]) => name);
let nextKey = 0;

async function send(author: TestUser, roomId: string, text: string): Promise<Stored> {
  const draft = { clientId: `k${nextKey++}`, text };
  return (await mustCall(author, 'POST', `/v1/rooms/${roomId}/messages`, draft)) as unknown as Stored;
}

async function counts(user: TestUser, roomId: string): Promise<{ unread: number; mentions: number }> {
  const { items } = await mustCall(user, 'GET', '/v1/rooms');
  const { unread, mentions } = items!.find(({ id }) => id === roomId) as { unread: number; mentions: number };
  return { unread, mentions };
}

test.each([
  ['@room', 'room', ['room']],
  ['@here', 'here', ['here']],
  ['@HERE and @Room', 'room', ['HERE', 'Room']],
  ['`@room`', null, []],
  ['```\n@here\n```', null, []],
  ['mail me@room.example', null, []],
  ['@rooms @heres', null, []],
])('in a small room, a member who writes %j mentions %s', async (text, mentionsAll, marks) => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const sent = await send(ben, roomId, text);
  expect({ all: sent.mentionsAll, mentions: sent.mentions }).toEqual({ all: mentionsAll, mentions: [] });
  expect(marked(sent)).toEqual(marks);
  expect(await counts(ana, roomId)).toEqual({ unread: 1, mentions: mentionsAll === null ? 0 : 1 });
});

test('in a larger room only moderators mention everybody; for members it is plain text, also in edits', async () => {
  const members = await people(5);
  const [ana, ben, cal] = members as [TestUser, TestUser, TestUser];
  const roomId = await createRoom(members);
  const plain = await send(ben, roomId, `@room @here @${cal.username}`);
  expect(plain).toMatchObject({ mentionsAll: null, mentions: [cal.id] });
  expect(marked(plain)).toEqual([cal.username]);
  expect(plain.html).toContain('@room @here');
  expect(await counts(cal, roomId)).toEqual({ unread: 1, mentions: 1 });
  await mustCall(ben, 'PATCH', `/v1/rooms/${roomId}/messages/${plain.id}`, { text: '@room all the same' });
  expect(await mustCall(cal, 'GET', `/v1/rooms/${roomId}/messages/${plain.id}`)).toMatchObject({ mentionsAll: null });
  expect(await counts(cal, roomId)).toEqual({ unread: 1, mentions: 0 });

  expect((await send(ana, roomId, '@here')).mentionsAll).toBe('here');
  await mustCall(ana, 'PATCH', `/v1/rooms/${roomId}/members/${ben.id}`, { role: 'moderator' });
  expect((await send(ben, roomId, '@room')).mentionsAll).toBe('room');
  expect(await counts(cal, roomId)).toEqual({ unread: 3, mentions: 2 });
});

test('an edit mentions everybody, or no longer does; readers get the new version live', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const socket = await connect(fleet.chats[0]!.url, ben);
  const { id } = await send(ana, roomId, 'quiet');
  const path = `/v1/rooms/${roomId}/messages/${id}`;
  for (const [text, mentionsAll, mentions] of [
    ['@room now', 'room', 1],
    ['@here now', 'here', 1],
    ['quiet again', null, 0],
  ] as const) {
    await mustCall(ana, 'PATCH', path, { text });
    const { data: shown } = await socket.until(
      ({ type, data }) => type === 'message.updated' && (data!.message as { text: string }).text === text,
    );
    expect(shown!.message).toMatchObject({ mentionsAll });
    expect(await mustCall(ben, 'GET', path)).toMatchObject({ mentionsAll });
    expect(await counts(ben, roomId)).toEqual({ unread: 1, mentions });
  }
  await socket.close();
});

test('a mention of everybody does not count for its author, nor for people who block the author', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  await mustCall(ben, 'PUT', `/v1/users/me/blocks/${ana.id}`);
  const sent = await send(ana, roomId, '@room');
  // The author cannot tell.
  expect(sent.mentionsAll).toBe('room');
  expect(marked(sent)).toEqual(['room']);
  expect(await counts(ben, roomId)).toEqual({ unread: 1, mentions: 0 });
  expect(await counts(ana, roomId)).toEqual({ unread: 0, mentions: 0 });
  expect(await mustCall(ben, 'PUT', `/v1/rooms/${roomId}/read`, { seq: 0 })).toMatchObject({ unread: 1, mentions: 0 });
  await mustCall(ben, 'DELETE', `/v1/users/me/blocks/${ana.id}`);
  expect(await counts(ben, roomId)).toEqual({ unread: 1, mentions: 1 });
});

test('typing is shown with its thread in small rooms, and not at all in larger ones', async () => {
  const members = await people(5);
  const [ana, ben] = members as [TestUser, TestUser];
  const [small, large] = [await createRoom([ana, ben]), await createRoom(members)];
  const [typist, reader] = [await connect(fleet.chats[0]!.url, ana), await connect(fleet.chats[0]!.url, ben)];
  const { id: threadId } = await send(ana, small, 'a root');
  expect((await typist.ask({ type: 'typing', roomId: large, active: true })).type).toBe('ack');
  expect((await typist.ask({ type: 'typing', roomId: small, active: true, threadId })).type).toBe('ack');
  const { data, roomId } = await reader.until((frame) => frame.type === 'typing');
  // The frame of the larger room would have come first.
  expect({ data, roomId }).toEqual({ data: { userId: ana.id, active: true, threadId }, roomId: small });
  expect((await typist.ask({ type: 'typing', roomId: small, active: false, threadId: 'x' })).code).toBe('invalid');
  await Promise.all([typist.close(), reader.close()]);
});

test('a history page around the seq of a message holds the message and its neighbours', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const sent: Stored[] = [];
  for (let at = 0; at < 9; at++) sent.push(await send(ana, roomId, `line ${at}`));
  const { seq } = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/messages/${sent[4]!.id}`);
  const page = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/messages?around=${seq}&limit=5`);
  expect((page.messages as Stored[]).map(({ id }) => id)).toContain(sent[4]!.id);
  expect((page.messages as Stored[]).map(({ id }) => id)).toEqual(sent.slice(2, 7).map(({ id }) => id));
});
