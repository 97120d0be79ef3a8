/** Reactions on two instances. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { holdLog, holdMute } from '../harness/held-row.ts';
import {
  type Answer,
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 120_000 });

const perMinute = 2000;
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

interface Place {
  readonly roomId: string;
  readonly messageId: string;
}

async function say(user: TestUser, roomId: string, text = 'hello'): Promise<Place & { seq: number }> {
  const draft = { clientId: crypto.randomUUID(), text };
  const { id, seq } = await mustCall(user, 'POST', `/v1/rooms/${roomId}/messages`, draft);
  return { roomId, messageId: id as string, seq: seq as number };
}

/** A room of ana, who owns it, and these people, with a message of hers. */
async function startPlace(people: readonly TestUser[] = [ben], room: Record<string, unknown> = {}): Promise<Place> {
  return say(ana, await createRoom([ana, ...people], room));
}

const pathOf = ({ roomId, messageId }: Place, emoji: string) =>
  `/v1/rooms/${roomId}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`;
const react = (user: TestUser, place: Place, emoji = '👍') => user.call('PUT', pathOf(place, emoji));
const takeBack = (user: TestUser, place: Place, emoji = '👍') => user.call('DELETE', pathOf(place, emoji));
const seqOf = ({ body }: Answer) => body.seq as number;

interface Shown {
  readonly emoji: string;
  readonly count: number;
  readonly userIds: string[];
}

async function shown(user: TestUser, { roomId, messageId }: Place): Promise<Shown[]> {
  return (await mustCall(user, 'GET', `/v1/rooms/${roomId}/messages/${messageId}`)).reactions as Shown[];
}

async function eventsOf(user: TestUser, { roomId }: Place): Promise<Frame[]> {
  const { events } = await mustCall(user, 'GET', `/v1/rooms/${roomId}/events?limit=100`);
  return events as Frame[];
}

const isReaction = ({ type }: Frame) => type.startsWith('reaction.');
const seesSeq = (socket: TestSocket, { roomId }: Place, seq: number) =>
  socket.until((frame) => frame.roomId === roomId && frame.seq === seq);

test('a reaction reaches readers of every instance, is in every view of the message, and goes again', async () => {
  const place = await startPlace();
  const reader = await connect(there, ana);
  const socket = await connect(here, ben);
  const ack = await socket.ask({ type: 'reaction.add', ...place, seq: undefined, emoji: '👍' });
  expect(ack).toMatchObject({ type: 'ack', seq: expect.any(Number) });
  const event = await reader.until(isReaction);
  expect(event).toEqual({
    type: 'reaction.added',
    roomId: place.roomId,
    seq: ack.seq,
    at: expect.any(String),
    data: { messageId: place.messageId, emoji: '👍', userId: ben.id },
  });
  const second = await react(ana.at(there), place, '🎉');
  const third = await react(ana.at(there), place, '👍');
  expect([second.status, third.status, seqOf(third)]).toEqual([200, 200, seqOf(second) + 1]);
  const all = [
    { emoji: '👍', count: 2, userIds: [ben.id, ana.id] },
    { emoji: '🎉', count: 1, userIds: [ana.id] },
  ];
  for (const url of [here, there]) {
    expect(await shown(ben.at(url), place)).toEqual(all);
    const { messages } = await mustCall(ben.at(url), 'GET', `/v1/rooms/${place.roomId}/messages`);
    expect(messages).toMatchObject([{ id: place.messageId, reactions: all }]);
  }
  expect(await socket.ask({ type: 'reaction.remove', ...place, seq: undefined, emoji: '👍' })).toMatchObject({
    type: 'ack',
    seq: seqOf(third) + 1,
  });
  await seesSeq(reader, place, seqOf(third) + 1);
  expect(reader.events(place.roomId).at(-1)).toMatchObject({
    type: 'reaction.removed',
    data: { messageId: place.messageId, emoji: '👍', userId: ben.id },
  });
  expect(await shown(ben, place)).toEqual([
    { emoji: '🎉', count: 1, userIds: [ana.id] },
    { emoji: '👍', count: 1, userIds: [ana.id] },
  ]);
});

test('the same reaction again, in either spelling, makes no event and gets the seq of the first', async () => {
  const place = await startPlace();
  const first = await react(ben, place, '❤️');
  for (const [url, emoji] of [
    [here, '❤️'],
    [there, '❤'],
  ] as const)
    expect(await react(ben.at(url), place, emoji)).toMatchObject({ status: 200, body: { seq: seqOf(first) } });
  expect(await shown(ana, place)).toEqual([{ emoji: '❤️', count: 1, userIds: [ben.id] }]);
  const gone = await takeBack(ben, place, '❤');
  expect(seqOf(gone)).toBe(seqOf(first) + 1);
  // The newest seq of the room: as of it, the reaction is not there.
  expect(await takeBack(ben.at(there), place, '❤️')).toMatchObject({ status: 200, body: { seq: seqOf(gone) } });
  expect((await eventsOf(ana, place)).filter(isReaction)).toHaveLength(2);
});

test('only an emoji, or the name of a custom emoji that exists, is a reaction', async () => {
  const place = await startPlace();
  for (const emoji of ['a', '👍👍', ':unknown:', ':Bad Name:', '<b>']) {
    expect(await react(ben, place, emoji)).toMatchObject({ status: 400, body: { code: 'invalid' } });
  }
  const socket = await connect(here, ben);
  expect(await socket.ask({ type: 'reaction.add', ...place, seq: undefined, emoji: '' })).toMatchObject({
    code: 'invalid',
  });
  expect(await socket.ask({ type: 'reaction.add', ...place, seq: undefined, emoji: '👍', more: 1 })).toMatchObject({
    code: 'invalid',
  });
  expect(await shown(ana, place)).toEqual([]);
});

test('a message has at most fifty different reactions, and more people may use those', async () => {
  const place = await startPlace();
  const emojis = Array.from({ length: 51 }, (_, at) => String.fromCodePoint(0x1f400 + at));
  for (const emoji of emojis.slice(0, 50)) await mustCall(ben, 'PUT', pathOf(place, emoji));
  expect(await react(ben, place, emojis[50]!)).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect((await react(ana.at(there), place, emojis[0]!)).status).toBe(200);
  expect((await takeBack(ben, place, emojis[1]!)).status).toBe(200);
  expect((await react(ana.at(there), place, emojis[50]!)).status).toBe(200);
  expect(await shown(ana, place)).toHaveLength(50);
});

test('a message shows the first twenty people, and the list of people has all, page by page', async () => {
  const people = await Promise.all(Array.from({ length: 25 }, () => signUp(there)));
  const place = await startPlace(people);
  for (const person of people) await mustCall(person.at(here), 'PUT', pathOf(place, '👍'));
  const ids = people.map(({ id }) => id);
  expect(await shown(ana, place)).toEqual([{ emoji: '👍', count: 25, userIds: ids.slice(0, 20) }]);
  const first = await mustCall(ana.at(there), 'GET', `${pathOf(place, '👍')}?limit=15`);
  const second = await mustCall(ana, 'GET', `${pathOf(place, '👍')}?limit=15&cursor=${first.nextCursor as string}`);
  const listed = [...first.items!, ...second.items!].map(({ user }) => (user as { id: string }).id);
  expect(listed).toEqual(ids);
  expect(second.nextCursor).toBeNull();
  expect(first.items![0]).toMatchObject({ user: { username: people[0]!.username }, at: expect.any(String) });
});

test('outsiders, muted members and readers of a deleted message react to nothing', async () => {
  const place = await startPlace();
  expect(await react(eve, place)).toMatchObject({ status: 404 });
  expect(await eve.call('GET', pathOf(place, '👍'))).toMatchObject({ status: 404 });
  const open = await startPlace([], { visibility: 'public' });
  expect(await react(eve, open)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect(await react(ana, { ...place, messageId: open.messageId })).toMatchObject({ status: 404 });
  await mustCall(ben, 'PUT', pathOf(place, '👍'));
  await mustCall(ana, 'PUT', `/v1/rooms/${place.roomId}/members/${ben.id}/mute`, { seconds: 60 });
  expect(await react(ben.at(there), place, '🎉')).toMatchObject({ status: 403, body: { code: 'muted' } });
  expect((await takeBack(ben.at(there), place)).status).toBe(200);
  await mustCall(ana, 'DELETE', `/v1/rooms/${place.roomId}/messages/${place.messageId}`);
  expect(await react(ana, place)).toMatchObject({ status: 404 });
  expect(await ana.call('GET', pathOf(place, '👍'))).toMatchObject({ status: 404 });
});

test('a member whose history begins with joining does not react to what was before', async () => {
  const place = await startPlace([], { history: 'joined' });
  await mustCall(ana, 'PUT', `/v1/rooms/${place.roomId}/members/${ben.id}`, {});
  expect(await react(ben, place)).toMatchObject({ status: 404 });
  expect((await react(ben, await say(ana, place.roomId))).status).toBe(200);
});

test('a member whose history begins with joining gets events about earlier messages without their content', async () => {
  const old = await startPlace([], { history: 'joined', visibility: 'public' });
  const watcher = await connect(there, eve);
  await watcher.ask({ type: 'room.open', roomId: old.roomId });
  const writer = await connect(here, ana);
  const draft = { ...old, seq: undefined, text: 'a secret of before' };
  await mustCall(ana, 'PUT', `/v1/rooms/${old.roomId}/members/${ben.id}`, {});
  const [near, far] = await Promise.all([connect(here, ben), connect(there, ben)]);
  const first = (await writer.ask({ type: 'message.edit', ...draft })).seq as number;
  await mustCall(ana, 'PUT', pathOf(old, '🎉'));
  const stream = await writer.ask({ type: 'message.stream.start', roomId: old.roomId, clientId: 'stream' });
  const shared = await say(ana, old.roomId, 'everybody sees this');
  await mustCall(ben, 'PUT', pathOf(shared, '👍'));
  await mustCall(ana, 'DELETE', `/v1/rooms/${old.roomId}/messages/${old.messageId}`);
  const last = (await say(ana, old.roomId, 'marker')).seq;
  const types = [
    ...['message.hidden', 'message.hidden', 'message.created', 'message.created'],
    ...['reaction.added', 'message.hidden', 'message.created'],
  ];
  expect(stream.type).toBe('ack');
  for (const socket of [near, far, watcher]) {
    await seesSeq(socket, old, last);
    const seen = socket.events(old.roomId).filter(({ seq }) => seq! >= first);
    expect(seen.map(({ seq }) => seq)).toEqual(types.map((_type, at) => first + at));
    expect(seen.map(({ type }) => type)).toEqual(types);
    expect(seen[0]).toEqual({ ...seen[0], type: 'message.hidden', data: {} });
    expect(JSON.stringify(socket.frames)).not.toContain('a secret');
    expect(JSON.stringify(socket.frames)).not.toContain(old.messageId);
  }
  // The same by resume, from memory and from the log, and over REST.
  const position = { logId: near.welcome.logId as string, rooms: { [old.roomId]: first - 1 } };
  for (const url of [here, there]) {
    const back = await connect(url, ben, position);
    await back.until(({ type }) => type === 'resumed');
    expect(back.events(old.roomId).map(({ type }) => type)).toEqual(types);
    const over = (await eventsOf(ben.at(url), old)).filter(({ seq }) => seq! >= first);
    expect(over.map(({ type }) => type)).toEqual(types);
    expect(JSON.stringify([over, back.frames])).not.toContain(old.messageId);
    expect((await eventsOf(ana.at(url), old)).map(({ type }) => type)).not.toContain('message.hidden');
  }
});

test('in a conversation of two, a blocked person does not react', async () => {
  const [one, other] = await Promise.all([signUp(here), signUp(here)]);
  const { id } = await mustCall(one, 'POST', '/v1/dms', { userIds: [other.id] });
  const place = await say(one, id as string);
  await mustCall(one, 'PUT', `/v1/users/me/blocks/${other.id}`);
  await expect.poll(async () => (await react(other, place)).status).toBe(404);
  expect((await react(one, place)).status).toBe(200);
});

test('a moderator removes the reaction of another, which is in the audit log; a member does not', async () => {
  const place = await startPlace([ben, eve]);
  await mustCall(ben, 'PUT', pathOf(place, '👍'));
  const ofBen = `${pathOf(place, '👍')}?userId=${ben.id}`;
  expect(await eve.call('DELETE', ofBen)).toMatchObject({ status: 403 });
  expect((await ana.at(there).call('DELETE', ofBen)).status).toBe(200);
  const { items } = await mustCall(ana, 'GET', `/v1/moderation/audit?roomId=${place.roomId}`);
  expect(items).toMatchObject([{ action: 'reaction.remove', targetId: ben.id, details: { emoji: '👍' } }]);
  expect((await eventsOf(ana, place)).at(-1)).toMatchObject({
    type: 'reaction.removed',
    data: { userId: ben.id, by: ana.id },
  });
});

test('two instances that react to a message at once: each reaction has a seq, and the log has no gap', async () => {
  const people = await Promise.all(Array.from({ length: 10 }, () => signUp(here)));
  const place = await startPlace(people);
  const emojis = ['👍', '🎉', '🚀', '👀', '❤️'];
  const answers = await Promise.all(
    people.flatMap((person, at) =>
      emojis.flatMap((emoji) => [
        react(person.at(at % 2 === 0 ? here : there), place, emoji),
        // The same person on another device.
        react(person.at(at % 2 === 0 ? there : here), place, emoji),
      ]),
    ),
  );
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const reactions = (await eventsOf(ana, place)).filter(isReaction);
  expect(reactions).toHaveLength(people.length * emojis.length);
  expect(new Set(answers.map(seqOf))).toEqual(new Set(reactions.map(({ seq }) => seq)));
  const seqs = (await eventsOf(ana, place)).map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  for (const url of [here, there])
    expect((await shown(ana.at(url), place)).map(({ count }) => count)).toEqual(emojis.map(() => people.length));
});

test('a storm in one room shares transactions, keeps the order of each person, and refuses nobody for another', async () => {
  const people = await Promise.all(Array.from({ length: 8 }, () => signUp(here)));
  const place = await startPlace(people.slice(0, 7));
  const sockets = await Promise.all(people.map((person) => connect(here, person)));
  const held = await holdLog(fleet.database, {
    roomId: place.roomId,
    seq: (await eventsOf(ana, place)).length + 1,
    userId: ana.id,
  });
  const first = sockets[0]!.ask({
    type: 'reaction.add',
    roomId: place.roomId,
    messageId: place.messageId,
    emoji: '👀',
  });
  await held.waiting(1);
  const frame = (type: string) => ({ type, roomId: place.roomId, messageId: place.messageId, emoji: '👍' });
  const answers = Promise.all(
    sockets.flatMap((socket) =>
      Array.from({ length: 11 }, (_, at) => socket.ask(frame(at % 2 === 0 ? 'reaction.add' : 'reaction.remove'))),
    ),
  );
  await held.release();
  expect(await first).toMatchObject({ type: 'ack' });
  const told = await answers;
  // The last one is no member.
  expect(told.slice(0, 77).filter(({ type }) => type !== 'ack')).toEqual([]);
  expect(told.slice(77).filter(({ code }) => code !== 'not_found')).toEqual([]);
  expect(await shown(ana.at(there), place)).toEqual([
    { emoji: '👀', count: 1, userIds: [people[0]!.id] },
    { emoji: '👍', count: 7, userIds: expect.any(Array) },
  ]);
  const events = (await eventsOf(ana, place)).filter(isReaction);
  expect(events).toHaveLength(1 + 77);
  for (const person of people.slice(0, 7)) {
    const own = events.filter(({ data }) => data!.userId === person.id && data!.emoji === '👍');
    expect(own.map(({ type }) => type)).toEqual(
      Array.from({ length: 11 }, (_, at) => (at % 2 === 0 ? 'reaction.added' : 'reaction.removed')),
    );
  }
  // 77 changes that were ready together: far fewer transactions, which is seen by the time that Postgres gave them.
  expect(new Set(events.slice(1).map(({ at }) => at)).size).toBeLessThan(20);
});

test('after the removal of a member is acknowledged, no reaction of theirs is in the log', async () => {
  for (let round = 0; round < 10; round++) {
    const place = await startPlace([ben, eve]);
    const socket = await connect(there, ben);
    const emojis = ['👍', '🎉', '🚀', '👀', '❤️', '🔥'];
    const frame = (emoji: string) => ({
      type: 'reaction.add',
      roomId: place.roomId,
      messageId: place.messageId,
      emoji,
    });
    const asked = emojis.map((emoji) => socket.ask(frame(emoji)));
    await mustCall(ana, 'DELETE', `/v1/rooms/${place.roomId}/members/${ben.id}`);
    const after = await socket.ask(frame('😀'));
    expect(after.code).toBe('not_found');
    const answers = await Promise.all(asked);
    const events = await eventsOf(ana, place);
    const left = events.find(({ type }) => type === 'member.left')!.seq!;
    const reactions = events.filter(isReaction);
    expect(reactions.filter(({ seq }) => seq! > left)).toEqual([]);
    expect(reactions.map(({ seq }) => seq)).toEqual(answers.filter(({ type }) => type === 'ack').map(({ seq }) => seq));
    await socket.close();
  }
});

test('a member who is muted by another instance before the commit does not react', async () => {
  const place = await startPlace();
  const seq = (await eventsOf(ana, place)).length + 1;
  const held = await holdMute(fleet.database, { roomId: place.roomId, seq, userId: ben.id, by: ana.id });
  const answer = react(ben, place);
  await held.waiting(1);
  await held.release();
  expect(await answer).toMatchObject({ status: 403, body: { code: 'muted' } });
});

test('a message that is deleted while people react keeps no reaction and gets none', async () => {
  const people = await Promise.all(Array.from({ length: 6 }, () => signUp(here)));
  const place = await startPlace(people);
  const answers = people.map((person, at) => react(person.at(at % 2 === 0 ? here : there), place));
  await mustCall(ana.at(there), 'DELETE', `/v1/rooms/${place.roomId}/messages/${place.messageId}`);
  const told = await Promise.all(answers);
  expect(told.filter(({ status }) => status !== 200 && status !== 404)).toEqual([]);
  const events = await eventsOf(ana, place);
  const deleted = events.find(({ type }) => type === 'message.deleted')!.seq!;
  expect(events.filter(isReaction).filter(({ seq }) => seq! > deleted)).toEqual([]);
  expect(events.filter(isReaction)).toHaveLength(told.filter(({ status }) => status === 200).length);
  for (const url of [here, there]) expect(await shown(ana.at(url), place)).toEqual([]);
});

test('a message that a moderator removed and restored has its reactions again, for readers of the log too', async () => {
  const place = await startPlace([ben, eve]);
  const theirs = await say(ben, place.roomId, 'a matter of taste');
  await mustCall(eve, 'PUT', pathOf(theirs, '👍'));
  const report = `/v1/rooms/${place.roomId}/messages/${theirs.messageId}/report`;
  const { id } = await mustCall(eve, 'POST', report, { reason: 'look at this' });
  await mustCall(ana, 'POST', `/v1/moderation/queue/${id as string}`, { decision: 'remove' });
  expect(await shown(eve, theirs)).toEqual([]);
  expect(await react(eve, theirs, '🎉')).toMatchObject({ status: 404 });
  await mustCall(ana, 'POST', `/v1/moderation/queue/${id as string}`, { decision: 'approve' });
  const again = [{ emoji: '👍', count: 1, userIds: [eve.id] }];
  expect(await shown(eve.at(there), theirs)).toEqual(again);
  expect((await eventsOf(ana, place)).at(-1)).toMatchObject({
    type: 'message.updated',
    data: { message: { reactions: again } },
  });
});

test('a client that resumes gets the same events as one that stayed', async () => {
  const place = await startPlace();
  const [stayed, left] = [await connect(here, ana), await connect(there, ben)];
  const { logId } = left.welcome;
  const seq = (await eventsOf(ana, place)).length;
  await left.close();
  await mustCall(ben, 'PUT', pathOf(place, '👍'));
  await mustCall(ana, 'PUT', pathOf(place, '👍'));
  await mustCall(ben, 'DELETE', pathOf(place, '👍'));
  await mustCall(ana, 'PATCH', `/v1/rooms/${place.roomId}/messages/${place.messageId}`, { text: 'edited' });
  await seesSeq(stayed, place, seq + 4);
  const back = await connect(there, ben, { logId: logId as string, rooms: { [place.roomId]: seq } });
  await back.until(({ type }) => type === 'resumed');
  expect(back.events(place.roomId)).toEqual(stayed.events(place.roomId));
  expect(back.events(place.roomId).at(-1)).toMatchObject({
    type: 'message.updated',
    data: { message: { text: 'edited', reactions: [{ emoji: '👍', count: 1, userIds: [ana.id] }] } },
  });
});

test('an erased person’s reactions go, with an event for each', async () => {
  const person = await signUp(here);
  const place = await startPlace([person]);
  const other = await say(ana, place.roomId);
  await mustCall(person, 'PUT', pathOf(place, '👍'));
  await mustCall(person, 'PUT', pathOf(other, '🎉'));
  await mustCall(ana, 'PUT', pathOf(place, '👍'));
  await mustCall(person, 'DELETE', '/v1/users/me', { password: person.password });
  await expect.poll(async () => (await shown(ana.at(there), other)).length).toBe(0);
  await expect.poll(() => shown(ana.at(there), place)).toEqual([{ emoji: '👍', count: 1, userIds: [ana.id] }]);
  const removed = (await eventsOf(ana, place)).filter(({ type }) => type === 'reaction.removed');
  expect(removed.map(({ data }) => data)).toEqual([
    { messageId: place.messageId, emoji: '👍', userId: person.id },
    { messageId: other.messageId, emoji: '🎉', userId: person.id },
  ]);
});

test('a person reacts at most so often a minute, on all instances together', async () => {
  const person = await signUp(here);
  const place = await startPlace([person]);
  const sockets = await Promise.all([connect(here, person), connect(there, person)]);
  const frame = { type: 'reaction.add', roomId: place.roomId, messageId: place.messageId, emoji: '👍' };
  for (let sent = 0; sent < perMinute; sent += 200)
    await Promise.all(Array.from({ length: 200 }, (_, at) => sockets[at % 2]!.ask(frame)));
  expect(await sockets[1]!.ask(frame)).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
  expect((await react(ben, await startPlace())).status).toBe(200);
});
