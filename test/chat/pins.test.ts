/** Pins on two instances. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, type Frame, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 120_000 });

const pinsMax = 4;
let fleet: BorrowedFleet;
let here: string;
let there: string;
let ana: TestUser;
let ben: TestUser;
let eve: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
  [ana, ben, eve] = (await Promise.all([1, 2, 3].map(() => signUp(here)))) as [TestUser, TestUser, TestUser];
});
afterAll(() => fleet.end());

async function say(user: TestUser, roomId: string, text = 'hello'): Promise<string> {
  const draft = { clientId: crypto.randomUUID(), text };
  return (await mustCall(user, 'POST', `/v1/rooms/${roomId}/messages`, draft)).id as string;
}

const messagePath = (roomId: string, messageId: string) => `/v1/rooms/${roomId}/messages/${messageId}`;
const pin = (user: TestUser, roomId: string, messageId: string) =>
  user.call('PUT', `${messagePath(roomId, messageId)}/pin`);
const unpin = (user: TestUser, roomId: string, messageId: string) =>
  user.call('DELETE', `${messagePath(roomId, messageId)}/pin`);

async function pinnedIn(user: TestUser, roomId: string): Promise<string[]> {
  const { items } = await mustCall(user, 'GET', `/v1/rooms/${roomId}/pins`);
  return items!.map(({ id }) => id as string);
}

async function eventsOf(user: TestUser, roomId: string): Promise<Frame[]> {
  return (await mustCall(user, 'GET', `/v1/rooms/${roomId}/events?limit=100`)).events as Frame[];
}

test('a pin reaches readers of every instance, is in every view of the message, and goes again', async () => {
  const roomId = await createRoom([ana, ben]);
  const [first, second] = [await say(ana, roomId, 'first'), await say(ben, roomId, 'second')];
  const reader = await connect(there, ana);
  const answer = await pin(ben, roomId, first);
  const event = await reader.until(({ type }) => type === 'message.pinned');
  expect(event).toMatchObject({ roomId, seq: answer.body.seq, data: { messageId: first, by: ben.id } });
  expect((await pin(ana.at(there), roomId, second)).status).toBe(200);
  for (const url of [here, there]) {
    expect(await pinnedIn(ben.at(url), roomId)).toEqual([second, first]);
    expect(await mustCall(ben.at(url), 'GET', messagePath(roomId, first))).toMatchObject({ pinned: true });
    const { messages } = await mustCall(ben.at(url), 'GET', `/v1/rooms/${roomId}/messages`);
    expect(messages).toMatchObject([{ pinned: true }, { pinned: true }]);
  }
  const gone = await unpin(ana.at(there), roomId, first);
  expect(await reader.until(({ type }) => type === 'message.unpinned')).toMatchObject({
    seq: gone.body.seq,
    data: { messageId: first, by: ana.id },
  });
  expect(await pinnedIn(ben, roomId)).toEqual([second]);
  expect(await mustCall(ben, 'GET', messagePath(roomId, first))).toMatchObject({ pinned: false });
});

test('the same pin again makes no event and gets the seq of the first', async () => {
  const roomId = await createRoom([ana, ben]);
  const message = await say(ana, roomId);
  const answers = await Promise.all([ana, ben, ana.at(there), ben.at(there)].map((user) => pin(user, roomId, message)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ body }) => body.seq)).size).toBe(1);
  const first = await unpin(ana, roomId, message);
  expect(await unpin(ben.at(there), roomId, message)).toMatchObject({ status: 200, body: { seq: first.body.seq } });
  const types = (await eventsOf(ana, roomId)).map(({ type }) => type);
  expect(types.filter((type) => type === 'message.pinned')).toHaveLength(1);
  expect(types.filter((type) => type === 'message.unpinned')).toHaveLength(1);
});

test('the pins of one user are limited per minute', async () => {
  const dan = await signUp(here);
  const roomId = await createRoom([dan]);
  const message = await say(dan, roomId);
  const answers = await Promise.all(Array.from({ length: 65 }, () => unpin(dan, roomId, message)));
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(5);
});

test('a room has so many pins and no more, whichever instance is asked, and lists them page by page', async () => {
  const roomId = await createRoom([ana, ben]);
  const messages: string[] = [];
  for (let at = 0; at < pinsMax + 2; at++) messages.push(await say(ana, roomId, `message ${at}`));
  const answers = await Promise.all(
    messages.map((message, at) => pin(ana.at(at % 2 === 0 ? here : there), roomId, message)),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(pinsMax);
  expect(answers.filter(({ body }) => body.code === 'conflict')).toHaveLength(2);
  const all = await pinnedIn(ben, roomId);
  expect(all).toHaveLength(pinsMax);
  const first = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/pins?limit=3`);
  const second = await mustCall(
    ben.at(there),
    'GET',
    `/v1/rooms/${roomId}/pins?limit=3&cursor=${first.nextCursor as string}`,
  );
  expect([...first.items!, ...second.items!].map(({ id }) => id)).toEqual(all);
  expect(second.nextCursor).toBeNull();
  // A pin of a message that is gone takes no place.
  await mustCall(ana, 'DELETE', messagePath(roomId, all[0]!));
  const left = messages.find((message) => !all.includes(message))!;
  expect((await pin(ana, roomId, left)).status).toBe(200);
});

test('where moderators pin, members do not; outsiders and muted members never do', async () => {
  const roomId = await createRoom([ana, ben]);
  const message = await say(ana, roomId);
  expect((await pin(eve, roomId, message)).status).toBe(404);
  expect((await eve.call('GET', `/v1/rooms/${roomId}/pins`)).status).toBe(404);
  await mustCall(ana, 'PATCH', `/v1/rooms/${roomId}`, { pins: 'moderators' });
  for (const url of [here, there])
    expect(await pin(ben.at(url), roomId, message)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect((await pin(ana, roomId, message)).status).toBe(200);
  expect((await unpin(ben, roomId, message)).status).toBe(403);
  await mustCall(ana, 'PATCH', `/v1/rooms/${roomId}`, { pins: 'members' });
  expect((await unpin(ben.at(there), roomId, message)).status).toBe(200);
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}/mute`, { seconds: 60 });
  expect(await pin(ben, roomId, message)).toMatchObject({ status: 403, body: { code: 'muted' } });
  const open = await createRoom([ana], { visibility: 'public' });
  expect(await pin(eve, open, await say(ana, open))).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect((await eve.call('GET', `/v1/rooms/${open}/pins`)).status).toBe(200);
  expect((await pin(ana, open, message)).status).toBe(404);
});

test('a member sees no pins of messages before the history that they may read', async () => {
  const roomId = await createRoom([ana], { history: 'joined' });
  const early = await say(ana, roomId);
  await mustCall(ana, 'PUT', `${messagePath(roomId, early)}/pin`);
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}`, {});
  const late = await say(ana, roomId);
  await mustCall(ana, 'PUT', `${messagePath(roomId, late)}/pin`);
  expect(await pinnedIn(ben, roomId)).toEqual([late]);
  expect(await pinnedIn(ana, roomId)).toEqual([late, early]);
  expect((await unpin(ben, roomId, early)).status).toBe(404);
});

test('a deleted message is not pinned, and one that a moderator restores is pinned again', async () => {
  const roomId = await createRoom([ana, ben, eve]);
  const [own, theirs] = [await say(ben, roomId), await say(ben, roomId, 'a matter of taste')];
  for (const message of [own, theirs]) await mustCall(ana, 'PUT', `${messagePath(roomId, message)}/pin`);
  await mustCall(ben, 'DELETE', messagePath(roomId, own));
  const { id } = await mustCall(eve, 'POST', `${messagePath(roomId, theirs)}/report`, { reason: 'look at this' });
  await mustCall(ana, 'POST', `/v1/moderation/queue/${id as string}`, { decision: 'remove' });
  expect(await pinnedIn(eve.at(there), roomId)).toEqual([]);
  for (const message of [own, theirs]) expect((await pin(ana, roomId, message)).status).toBe(404);
  await mustCall(ana, 'POST', `/v1/moderation/queue/${id as string}`, { decision: 'approve' });
  expect(await pinnedIn(eve.at(there), roomId)).toEqual([theirs]);
  const events = await eventsOf(ana, roomId);
  expect(events.at(-1)).toMatchObject({ type: 'message.updated', data: { message: { pinned: true } } });
  expect(events.map(({ type }) => type)).not.toContain('message.unpinned');
});

test('after the removal of a member is acknowledged, no pin of theirs is in the log', async () => {
  for (let round = 0; round < 5; round++) {
    const roomId = await createRoom([ana, ben]);
    const messages = [await say(ana, roomId), await say(ana, roomId), await say(ana, roomId)];
    const answers = messages.map((message) => pin(ben.at(there), roomId, message));
    await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}`);
    expect((await unpin(ben.at(there), roomId, messages[0]!)).status).toBe(404);
    const told = await Promise.all(answers);
    const events = await eventsOf(ana, roomId);
    const left = events.find(({ type }) => type === 'member.left')!.seq!;
    const pins = events.filter(({ type }) => type === 'message.pinned');
    expect(pins.filter(({ seq }) => seq! > left)).toEqual([]);
    expect(pins).toHaveLength(told.filter(({ status }) => status === 200).length);
  }
});

test('a client that resumes gets the pins that it missed, and an edit shows that its message is pinned', async () => {
  const roomId = await createRoom([ana, ben]);
  const message = await say(ana, roomId);
  const [stayed, left] = [await connect(here, ana), await connect(there, ben)];
  const seq = (await eventsOf(ana, roomId)).length;
  await left.close();
  await mustCall(ben, 'PUT', `${messagePath(roomId, message)}/pin`);
  await mustCall(ana, 'PATCH', messagePath(roomId, message), { text: 'edited' });
  await mustCall(ben, 'DELETE', `${messagePath(roomId, message)}/pin`);
  await stayed.until((frame) => frame.roomId === roomId && frame.seq === seq + 3);
  const back = await connect(there, ben, { logId: left.welcome.logId as string, rooms: { [roomId]: seq } });
  await back.until(({ type }) => type === 'resumed');
  expect(back.events(roomId)).toEqual(stayed.events(roomId));
  expect(back.events(roomId)[1]).toMatchObject({ data: { message: { text: 'edited', pinned: true } } });
});

test('what an erased person pinned stays pinned, and what they wrote does not', async () => {
  const person = await signUp(here);
  const roomId = await createRoom([ana, person]);
  const [theirs, mine] = [await say(person, roomId), await say(ana, roomId)];
  for (const message of [theirs, mine]) await mustCall(person, 'PUT', `${messagePath(roomId, message)}/pin`);
  await mustCall(person, 'DELETE', '/v1/users/me', { password: person.password });
  await expect.poll(() => pinnedIn(ana.at(there), roomId)).toEqual([mine]);
});
