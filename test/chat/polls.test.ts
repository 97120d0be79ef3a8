/** Polls: sent with a message, voted on two instances, closed by people and by time. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import {
  type Answer,
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestUser,
} from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let sql: postgres.Sql;
beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
});
const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];
const people = (count: number) => Promise.all(Array.from({ length: count }, () => signUp(here())));

interface PollBody {
  question: string;
  options: string[];
  closedAt: string | null;
  closesAt: string | null;
  results: { count: number; userIds?: string[] }[];
  own?: number[];
}

const draftOf = (poll: object, text = '') => ({ clientId: randomUUID(), text, poll });
const lunch = { question: 'Where do we eat?', options: ['Canteen', 'Park', 'At home'] };
const ask = async (person: TestUser, roomId: string, poll: object = {}) =>
  (await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, draftOf({ ...lunch, ...poll }))).id as string;
const pathOf = (roomId: string, messageId: string) => `/v1/rooms/${roomId}/messages/${messageId}`;
const vote = (person: TestUser, roomId: string, messageId: string, options: unknown) =>
  person.call('PUT', `${pathOf(roomId, messageId)}/vote`, { options });
const close = (person: TestUser, roomId: string, messageId: string) =>
  person.call('POST', `${pathOf(roomId, messageId)}/poll/close`);
const pollIn = ({ body }: Answer) => body as unknown as PollBody;
const countsOf = ({ results }: PollBody) => results.map(({ count }) => count);
const readPoll = async (person: TestUser, roomId: string, messageId: string) =>
  (await mustCall(person, 'GET', pathOf(roomId, messageId))).poll as PollBody | undefined;
const updatesOf = async (person: TestUser, roomId: string) => {
  const { events } = (await mustCall(person, 'GET', `/v1/rooms/${roomId}/events?limit=100`)) as { events: Frame[] };
  return events.filter(({ type }) => type === 'poll.updated');
};
const pollOf = ({ data }: Frame) => data!.poll as PollBody;

test('a poll comes with its message, and every vote of either instance is in the results', async () => {
  const [ana, ben, eve] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben, eve]);
  const [near, far] = await Promise.all([connect(here(), ben), connect(there(), eve)]);
  const sent = await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, draftOf(lunch, 'Friday'));
  const messageId = sent.id as string;
  const fresh = {
    ...lunch,
    ...{ multiple: false, anonymous: false, closesAt: null, closedAt: null },
    results: lunch.options.map(() => ({ count: 0, userIds: [] })),
  };
  expect(sent).toMatchObject({ text: 'Friday', poll: { ...fresh, own: [] } });
  const created = await far.until(({ type, roomId: id }) => type === 'message.created' && id === roomId);
  expect((created.data!.message as { poll: unknown }).poll).toEqual(fresh);

  expect(pollIn(await vote(ben, roomId, messageId, [1]))).toMatchObject({ own: [1], results: [{}, { count: 1 }, {}] });
  const ack = await far.ask({ type: 'poll.vote', roomId, messageId, options: [1] });
  expect(ack.type).toBe('ack');
  for (const device of [near, far]) {
    const event = await device.until(({ type, seq }) => type === 'poll.updated' && seq === ack.seq);
    expect(event.data).toEqual({
      messageId,
      poll: { ...fresh, results: [fresh.results[0], { count: 2, userIds: [ben.id, eve.id] }, fresh.results[2]] },
    });
  }
  // The same vote again changes nothing.
  expect(await far.ask({ type: 'poll.vote', roomId, messageId, options: [1] })).toMatchObject({ seq: ack.seq });
  expect(await updatesOf(ana, roomId)).toHaveLength(2);
  // Another option takes the place of the first, and none takes the vote back.
  expect(countsOf(pollIn(await vote(eve.at(there()), roomId, messageId, [2])))).toEqual([0, 1, 1]);
  expect(countsOf(pollIn(await vote(eve, roomId, messageId, [])))).toEqual([0, 1, 0]);
  expect(await mustCall(ana, 'PATCH', pathOf(roomId, messageId), { text: 'Thursday' })).toMatchObject({
    text: 'Thursday',
    poll: { question: lunch.question, results: [{}, { count: 1 }, {}] },
  });
  const edited = await near.until(({ type, roomId: id }) => type === 'message.updated' && id === roomId);
  expect((edited.data!.message as { poll: PollBody }).poll.results[1]).toEqual({ count: 1, userIds: [ben.id] });
  await Promise.all([near.close(), far.close()]);
});

test('a muted member cannot vote, but can take a vote back', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const messageId = await ask(ana, roomId);
  await vote(ben, roomId, messageId, [0]);
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}/mute`, { seconds: 600 });
  expect(await vote(ben, roomId, messageId, [1])).toMatchObject({ status: 403, body: { code: 'muted' } });
  expect(countsOf(pollIn(await vote(ben, roomId, messageId, [])))).toEqual([0, 0, 0]);
});

test('the votes of one user are limited per minute', async () => {
  const [ana] = (await people(1)) as [TestUser];
  const roomId = await createRoom([ana]);
  const messageId = await ask(ana, roomId);
  const answers = await Promise.all(Array.from({ length: 250 }, (_, at) => vote(ana, roomId, messageId, [at % 3])));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThanOrEqual(10);
  expect(refused[0]!.body).toMatchObject({ code: 'rate_limited' });
});

test('a page shows each reader their own vote, and nobody else’s', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, {
    clientId: 'text',
    text: 'no poll: ,"poll":{"question":"x"}',
  });
  const messageId = await ask(ana, roomId, { multiple: true });
  await vote(ben, roomId, messageId, [2, 0]);
  const messages = async (person: TestUser, query: string) =>
    (await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages${query}`)).messages as { poll?: PollBody }[];
  for (const query of ['', '', '?limit=1', '?after=0', '?before=100', '?around=3']) {
    for (const url of [here(), there()]) {
      expect((await messages(ben.at(url), query)).at(-1)!.poll!.own).toEqual([0, 2]);
      expect((await messages(ana.at(url), query)).at(-1)!.poll!.own).toEqual([]);
    }
  }
  await mustCall(ana, 'PUT', `${pathOf(roomId, messageId)}/pin`);
  await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'reply', text: 'hm', threadId: messageId });
  const lists = async (person: TestUser) => [
    (await mustCall(person, 'GET', `/v1/rooms/${roomId}/pins`)).items![0]!.poll,
    ((await mustCall(person, 'GET', '/v1/rooms')).items![0]!.lastMessage as { poll: PollBody }).poll,
  ];
  expect(await lists(ben)).toMatchObject([{ own: [0, 2] }, { own: [0, 2] }]);
  expect(await lists(ana)).toMatchObject([{ own: [] }, { own: [] }]);
  const event = (await updatesOf(ben, roomId))[0]!;
  expect(pollOf(event)).not.toHaveProperty('own');
});

test.each<[string, object, string]>([
  ['one option', { options: ['alone'] }, 'invalid'],
  ['eleven options', { options: Array.from({ length: 11 }, (_, n) => `${n}`) }, 'invalid'],
  ['an option twice', { options: ['tea', ' tea'] }, 'invalid'],
  ['an empty option', { options: ['tea', ' '] }, 'invalid'],
  ['an option of two lines', { options: ['tea', 'a\nb'] }, 'invalid'],
  ['a long option', { options: ['tea', 'x'.repeat(101)] }, 'too_large'],
  ['no question', { question: '' }, 'invalid'],
  ['a long question', { question: 'x'.repeat(301) }, 'too_large'],
  ['an end in the past', { closesAt: '2020-01-01T00:00:00.000Z' }, 'invalid'],
  ['an end in ten years', { closesAt: new Date(Date.now() + 3.2e11).toISOString() }, 'invalid'],
  ['an end that is no time', { closesAt: 'soon' }, 'invalid'],
  ['an unknown field', { colour: 'red' }, 'invalid'],
  [
    'a blocked option',
    { options: ['tea', 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'] },
    'message_blocked',
  ],
  [
    'a blocked question',
    { question: 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X' },
    'message_blocked',
  ],
])('a poll with %s is refused, and leaves its clientId free', async (_what, change, code) => {
  const ana = await signUp(here());
  const roomId = await createRoom([ana]);
  const send = (poll: object) =>
    ana.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'poll', text: 'look', poll });
  expect((await send({ ...lunch, ...change })).body.code).toBe(code);
  expect((await send(lunch)).status).toBe(201);
  expect((await send(lunch)).body).toMatchObject({ duplicate: true, poll: { question: lunch.question } });
  expect((await send({ ...lunch, multiple: true })).body.code).toBe('conflict');
});

test('votes that do not fit are refused: other options, two of one, a message without a poll, strangers', async () => {
  const [ana, ben, eve] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const messageId = await ask(ana, roomId);
  for (const options of [[3], [0, 1], [1, 1], [-1], ['0'], 'x', [10]])
    expect(await vote(ben, roomId, messageId, options)).toMatchObject({ status: 400, body: { code: 'invalid' } });
  const { id } = await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'x', text: 'no poll' });
  expect((await vote(ben, roomId, id as string, [0])).status).toBe(404);
  expect((await vote(ben, roomId, randomUUID(), [0])).status).toBe(404);
  expect((await close(ana, roomId, id as string)).status).toBe(404);
  expect((await vote(eve, roomId, messageId, [0])).status).toBe(404);
  const other = await createRoom([eve]);
  expect((await vote(eve, other, messageId, [0])).status).toBe(404);
  expect(countsOf((await readPoll(ana, roomId, messageId))!)).toEqual([0, 0, 0]);
  expect(await updatesOf(ana, roomId)).toEqual([]);
});

test('an anonymous poll shows counts and nowhere who voted', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const messageId = await ask(ana, roomId, { anonymous: true });
  const listening = await connect(there(), ana);
  expect(pollIn(await vote(ben, roomId, messageId, [0]))).toMatchObject({
    own: [0],
    results: [{ count: 1 }, { count: 0 }, { count: 0 }],
  });
  const event = await listening.until(({ type }) => type === 'poll.updated');
  expect(JSON.stringify(event)).not.toContain(ben.id);
  expect(pollOf(event).results[0]).toEqual({ count: 1 });
  const [stored] = await sql`select actor_id, data from events where room_id = ${roomId} and type = 'poll.updated'`;
  expect(JSON.stringify(stored)).not.toContain(ben.id);
  expect(JSON.stringify(await mustCall(ana, 'GET', pathOf(roomId, messageId)))).not.toContain(ben.id);
  await listening.close();
});

test('a poll is closed by its author or a moderator, once, and takes no votes after it', async () => {
  const [ana, ben, mia] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben, mia]);
  const messageId = await ask(ben, roomId);
  await vote(mia, roomId, messageId, [0]);
  expect((await close(mia, roomId, messageId)).body.code).toBe('forbidden');
  const closed = pollIn(await close(ben, roomId, messageId));
  expect(closed.closedAt).toEqual(expect.any(String));
  expect(pollIn(await close(ana.at(there()), roomId, messageId)).closedAt).toBe(closed.closedAt);
  expect(await vote(mia.at(there()), roomId, messageId, [1])).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  expect(await updatesOf(ana, roomId)).toHaveLength(2);
  const second = await ask(ben, roomId);
  expect((await close(ana, roomId, second)).status).toBe(200);
});

test('a poll closes at its time: votes are refused at once, and one event says so', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const closesAt = new Date(Date.now() + 2500).toISOString();
  const messageId = await ask(ana, roomId, { closesAt });
  const devices = await Promise.all([connect(here(), ben), connect(there(), ana)]);
  await vote(ben, roomId, messageId, [2]);
  for (const device of devices) {
    const event = await device.until((frame) => frame.type === 'poll.updated' && pollOf(frame).closedAt !== null);
    expect(pollOf(event)).toMatchObject({ closesAt, closedAt: closesAt, results: [{}, {}, { count: 1 }] });
  }
  expect((await vote(ben, roomId, messageId, [1])).body.code).toBe('conflict');
  // Postgres decides, whether or not somebody has closed the poll yet.
  const late = await ask(ana, roomId);
  await sql`update polls set closes_at = now() - interval '1 minute', closed_at = null where message_id = ${late}`;
  expect((await vote(ben, roomId, late, [1])).body.code).toBe('conflict');
  await expect.poll(async () => (await readPoll(ana, roomId, late))!.closedAt).not.toBeNull();
  const updates = await updatesOf(ana, roomId);
  expect(updates.filter((frame) => frame.data!.messageId === messageId)).toHaveLength(2);
  expect(updates.filter((frame) => frame.data!.messageId === late)).toHaveLength(1);
  await Promise.all(devices.map((device) => device.close()));
});

test('votes of two instances at once are all counted, in one log, and a removed member votes no more', async () => {
  const members = await people(12);
  const [ana, ben] = members as [TestUser, TestUser];
  const roomId = await createRoom(members);
  const messageId = await ask(ana, roomId, { multiple: true });
  const storm = (person: TestUser, index: number) =>
    Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        vote(person.at((index + n) % 2 ? here() : there()), roomId, messageId, n % 3 === 0 ? [0, 1] : [n % 3]),
      ),
    );
  const storms = Promise.all(members.map(storm));
  await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}`);
  const left = await updatesOf(ana, roomId);
  await storms;
  expect((await vote(ben.at(there()), roomId, messageId, [0])).status).toBe(404);
  const final = await Promise.all(members.map((each) => vote(each.at(there()), roomId, messageId, [2])));
  expect(final.filter(({ status }) => status === 200)).toHaveLength(11);
  const poll = (await readPoll(ana, roomId, messageId))!;
  const removed = poll.results.flatMap(({ userIds }) => userIds!).filter((id) => id === ben.id).length;
  expect(countsOf(poll).reduce((sum, count) => sum + count, 0)).toBe(11 + removed);
  const { events } = (await mustCall(ana, 'GET', `/v1/rooms/${roomId}/events?limit=100&after=${left.length}`)) as {
    events: Frame[];
  };
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => left.length + 1 + at));
  // Nothing of the removed member changes after the removal.
  const gone = events.findIndex(({ type }) => type === 'member.left');
  const votesOf = (frame: Frame) => pollOf(frame).results.map(({ userIds }) => userIds!.includes(ben.id));
  const after = events.slice(gone).filter(({ type }) => type === 'poll.updated');
  expect(new Set(after.map((frame) => votesOf(frame).join())).size).toBeLessThanOrEqual(1);
});

test('2,000 votes at once cost few events, and every voter is acked with the event that shows their vote', async () => {
  const members = await people(20);
  const ana = members[0]!;
  const roomId = await createRoom(members);
  const messageId = await ask(ana, roomId);
  // 2,000 earlier votes by SQL: signing up as many people takes longer than all that is measured here.
  const voters = Array.from({ length: 2000 }, () => randomUUID());
  await sql`insert into poll_votes (message_id, option, user_id, room_id, seq)
    select ${messageId}, 0, v, ${roomId}, 2 from unnest(${voters}::uuid[]) v`;
  const sockets = await Promise.all(members.map((person, at) => connect(at % 2 ? here() : there(), person)));
  const begun = performance.now();
  const acks = await Promise.all(
    Array.from({ length: 2000 }, (_, n) =>
      sockets[n % 20]!.ask({ type: 'poll.vote', roomId, messageId, options: [Math.floor(n / 20) % 3] }),
    ),
  );
  const seconds = (performance.now() - begun) / 1000;
  expect(acks.filter(({ type }) => type !== 'ack')).toEqual([]);
  const { events } = (await mustCall(ana, 'GET', `/v1/rooms/${roomId}/events?limit=100`)) as { events: Frame[] };
  const updates = events.filter(({ type }) => type === 'poll.updated');
  const [{ bytes } = { bytes: 0 }] = await sql<{ bytes: number }[]>`
    select max(length(data::text))::int as bytes from events where room_id = ${roomId} and type = 'poll.updated'`;
  process.stdout.write(
    `polls: 2000 votes on two instances in ${seconds.toFixed(1)} s, ${updates.length} events of at most ${bytes} bytes\n`,
  );
  expect(updates.length).toBeLessThan(100);
  expect(bytes).toBeLessThan(10_000);
  const poll = (await readPoll(ana, roomId, messageId))!;
  expect(countsOf(poll).reduce((sum, count) => sum + count, 0)).toBe(2020);
  expect(poll.results.every(({ userIds }) => userIds!.length <= 20)).toBe(true);
  await Promise.all(sockets.map((socket) => socket.close()));
});

test('a deleted poll takes its votes along, also from the events that showed it', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const messageId = await ask(ana, roomId);
  await vote(ben, roomId, messageId, [0]);
  await mustCall(ana, 'DELETE', pathOf(roomId, messageId));
  expect(await sql`select from poll_votes where message_id = ${messageId}`).toHaveLength(0);
  expect(await sql`select from polls where message_id = ${messageId}`).toHaveLength(0);
  expect((await vote(ben.at(there()), roomId, messageId, [1])).status).toBe(404);
  expect(await readPoll(ben, roomId, messageId)).toBeUndefined();
  const [shown] = await updatesOf(ben, roomId);
  expect(pollOf(shown!)).toMatchObject({ question: '', options: [], results: [] });
  const stored = await sql`select from events where room_id = ${roomId} and data::text like '%Canteen%'`;
  expect(stored).toHaveLength(0);
});

test('an erased voter leaves the results, in closed polls too', async () => {
  const [ana, ben, eve] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben, eve]);
  const polls = [await ask(ana, roomId), await ask(ana, roomId, { anonymous: true }), await ask(ben, roomId)];
  for (const messageId of polls) for (const person of [ben, eve]) await vote(person, roomId, messageId, [1]);
  await close(ana, roomId, polls[0]!);
  const listening = await connect(there(), ana);
  await mustCall(ben, 'DELETE', '/v1/users/me', { password: ben.password });
  await listening.until(
    (frame) => frame.type === 'poll.updated' && frame.data!.messageId === polls[1] && countsOf(pollOf(frame))[1] === 1,
  );
  await expect.poll(async () => (await sql`select from poll_votes where user_id = ${ben.id}`).length).toBe(0);
  expect((await readPoll(ana, roomId, polls[0]!))!.results[1]).toEqual({ count: 1, userIds: [eve.id] });
  expect(await readPoll(ana, roomId, polls[2]!)).toBeUndefined();
  await listening.close();
});
