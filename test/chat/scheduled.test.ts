import postgres from 'postgres';
import { beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

// A killed instance's claim has to run out.
vi.setConfig({ testTimeout: 120_000 });

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
let fleet: BorrowedFleet;
let sql: postgres.Sql;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 4, onnotice: () => {} });
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here())))) as [TestUser, TestUser];
  return async () => {
    await sql.end();
    await fleet.end();
  };
});

const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];
const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

interface ScheduledBody {
  id: string;
  text?: string;
  sendAt: string;
  state: string;
  failure: { code: string; message: string } | null;
  messageId: string | null;
}

const scheduledOf = async (user: TestUser, query = '') =>
  ((await mustCall(user, 'GET', `/v1/scheduled${query}`)) as unknown as { items: ScheduledBody[] }).items;

const textsIn = async (user: TestUser, room: string) =>
  (
    (await mustCall(user, 'GET', `/v1/rooms/${room}/messages`)) as unknown as { messages: { text: string }[] }
  ).messages.map(({ text }) => text);

let keys = 0;
async function schedule(user: TestUser, room: string, text: string, sendAt: string): Promise<ScheduledBody> {
  const draft = { clientId: `s${keys++}`, text, sendAt };
  return (await mustCall(user, 'POST', `/v1/rooms/${room}/scheduled`, draft)) as unknown as ScheduledBody;
}

/** Asks for all of them at once: each waiting by itself keeps the processors busy. */
async function allSettled(user: TestUser, ids: readonly string[]): Promise<ScheduledBody[]> {
  let found: ScheduledBody[] = [];
  const states = async () => {
    const all = [...(await scheduledOf(user)), ...(await scheduledOf(user, '?state=sent'))];
    found = ids.map((id) => all.find((each) => each.id === id)!);
    return found.every((each) => /^(sent|refused)$/.test(each?.state));
  };
  await expect.poll(states, { interval: 100 }).toBe(true);
  return found;
}

const settled = async (user: TestUser, id: string) => (await allSettled(user, [id]))[0]!;

test('a message is sent at its time like any other, and its author’s devices learn of it', async () => {
  const room = await createRoom([ana, ben]);
  const [reader, device] = [await connect(there(), ben), await connect(there(), ana)];
  const sendAt = soon(800);
  const draft = { clientId: 'later', text: 'good *morning*', sendAt };
  const created = await ana.call('POST', `/v1/rooms/${room}/scheduled`, draft);
  expect(created).toMatchObject({
    status: 201,
    body: { roomId: room, text: 'good *morning*', sendAt, state: 'waiting', failure: null, messageId: null },
  });
  await device.until(({ type, data }) => type === 'scheduled.updated' && data?.state === 'waiting');
  expect((await ana.call('POST', `/v1/rooms/${room}/scheduled`, draft)).status).toBe(200);
  const other = await ana.call('POST', `/v1/rooms/${room}/scheduled`, { ...draft, text: 'other' });
  expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
  const event = await reader.until(({ type }) => type === 'message.created');
  expect(event.data).toMatchObject({
    message: {
      text: 'good *morning*',
      html: expect.stringContaining('<em>'),
      clientId: 'later',
      sender: { id: ana.id },
    },
  });
  expect(Date.parse(event.at as string)).toBeGreaterThanOrEqual(Date.parse(sendAt));
  const { id: messageId } = (event.data as { message: { id: string } }).message;
  await device.until(({ type, data }) => type === 'scheduled.updated' && data?.messageId === messageId);
  expect(await scheduledOf(ana)).toEqual([]);
  expect(await settled(ana, created.body.id as string)).toMatchObject({ state: 'sent', messageId });
});

test('what it says and when can be changed until it is sent, and it can be cancelled', async () => {
  const room = await createRoom([ana]);
  const sendAt = soon(3_600_000);
  const [changed, cancelled] = [
    await schedule(ana, room, 'first', sendAt),
    await schedule(ana, room, 'never', soon(2000)),
  ];
  await mustCall(ana, 'DELETE', `/v1/scheduled/${cancelled.id}`);
  expect((await ana.call('DELETE', `/v1/scheduled/${cancelled.id}`)).status).toBe(404);
  expect((await ben.call('PATCH', `/v1/scheduled/${changed.id}`, { text: 'x' })).status).toBe(404);
  expect((await ana.call('PATCH', `/v1/scheduled/${changed.id}`, { sendAt: soon(-1) })).status).toBe(400);
  expect((await ana.call('PATCH', `/v1/scheduled/${changed.id}`, { text: ' ' })).status).toBe(400);
  await mustCall(ana, 'PATCH', `/v1/scheduled/${changed.id}`, { text: 'second', sendAt: soon(2500) });
  await settled(ana, changed.id);
  expect(await textsIn(ana, room)).toEqual(['second']);
  expect((await ana.call('PATCH', `/v1/scheduled/${changed.id}`, { text: 'third' })).status).toBe(409);
});

test('it is judged when it is sent: a refusal is told to its author, and it can be sent again with another text', async () => {
  const room = await createRoom([ana]);
  const device = await connect(there(), ana);
  const { id } = await schedule(ana, room, gtube, soon(500));
  const notice = await device.until(({ type, scheduledId }) => type === 'notice' && scheduledId === id);
  expect(notice).toMatchObject({ code: 'message_blocked', roomId: room });
  expect(await settled(ana, id)).toMatchObject({
    state: 'refused',
    failure: { code: 'message_blocked' },
    messageId: null,
  });
  expect((await ana.call('PATCH', `/v1/scheduled/${id}`, { text: 'kind' })).body).toMatchObject({
    errors: [{ path: '/sendAt' }],
  });
  await mustCall(ana, 'PATCH', `/v1/scheduled/${id}`, { text: 'kind words', sendAt: soon(400) });
  expect(await settled(ana, id)).toMatchObject({ state: 'sent', failure: null });
  expect(await textsIn(ana, room)).toEqual(['kind words']);
});

test('it is authorised when it is sent: who has left, was removed, muted or banned by then is refused', async () => {
  const rooms = await Promise.all(Array.from({ length: 4 }, () => createRoom([ben, ana])));
  const [left, removed, muted, gone] = rooms as [string, string, string, string];
  const sendAt = soon(2500);
  const ids = await Promise.all(rooms.map(async (room) => (await schedule(ana, room, 'too late', sendAt)).id));
  await mustCall(ana, 'DELETE', `/v1/rooms/${left}/members/me`);
  await mustCall(ben, 'DELETE', `/v1/rooms/${removed}/members/${ana.id}`);
  await mustCall(ben, 'PUT', `/v1/rooms/${muted}/members/${ana.id}/mute`, { seconds: 600 });
  await mustCall(ben, 'DELETE', `/v1/rooms/${gone}`);
  const ends = await allSettled(ana, ids);
  expect(ends.map(({ failure }) => failure?.code)).toEqual(['not_found', 'not_found', 'muted', 'not_found']);
  const eve = await signUp(here());
  const room = await createRoom([eve]);
  const { id } = await schedule(eve, room, 'from a banned user', soon(1500));
  await sql`insert into revocations (kind, user_id) values ('ban', ${eve.id})`;
  await expect
    .poll(async () => (await sql`select state, failure->>'code' as code from scheduled_messages where id = ${id}`)[0])
    .toEqual({ state: 'refused', code: 'banned' });
});

test('in slow mode the messages of one author follow each other in their order', async () => {
  const room = await createRoom([ben, ana]);
  await mustCall(ben, 'PATCH', `/v1/rooms/${room}`, { slowModeSeconds: 1 });
  const at = Date.now() + 700;
  const made: string[] = [];
  for (const [index, text] of ['one', 'two', 'three'].entries())
    made.push((await schedule(ana, room, text, new Date(at + index).toISOString())).id);
  for (const id of made) expect(await settled(ana, id)).toMatchObject({ state: 'sent' });
  expect(await textsIn(ben, room)).toEqual(['one', 'two', 'three']);
});

test('many messages of one moment are each sent once by two instances', async () => {
  const rooms = await Promise.all(Array.from({ length: 10 }, () => createRoom([ana])));
  const sendAt = soon(3000);
  const made = await Promise.all(
    rooms.flatMap((room) => ['a', 'b', 'c'].map((text) => schedule(ana, room, text, sendAt))),
  );
  await allSettled(
    ana,
    made.map(({ id }) => id),
  );
  for (const room of rooms) expect((await textsIn(ana, room)).toSorted()).toEqual(['a', 'b', 'c']);
});

test('a message whose job was lost is found by the next look', async () => {
  const room = await createRoom([ana]);
  const sendAt = soon(1200);
  const { id } = await schedule(ana, room, 'lost job', sendAt);
  await sql`delete from graphile_worker._private_jobs where key = ${`scheduled-messages:${sendAt}`}`;
  expect(await settled(ana, id)).toMatchObject({ state: 'sent' });
});

test('after kill -9 of an instance at any step, another one sends what it had claimed, once', async () => {
  const rooms = await Promise.all(Array.from({ length: 5 }, () => createRoom([ana])));
  const sendAt = soon(2500);
  const made = await Promise.all(
    rooms.flatMap((room) => ['a', 'b', 'c', 'd'].map((text) => schedule(ana, room, text, sendAt))),
  );
  // Stored by a worker that died before it could say so: the next one finds the message by its key.
  const [stored, claimed] = [made[0]!, made[5]!];
  const { id: first } = await mustCall(ana, 'POST', `/v1/rooms/${rooms[0]}/messages`, {
    ...{ clientId: `s${keys - 20}`, text: 'a' },
  });
  await sql`update scheduled_messages set state = 'sending', claimed_until = now() + interval '4 seconds'
    where id in (${stored.id}, ${claimed.id})`;
  expect((await ana.call('PATCH', `/v1/scheduled/${stored.id}`, { text: 'x' })).status).toBe(409);
  expect((await ana.call('DELETE', `/v1/scheduled/${claimed.id}`)).status).toBe(409);
  const victim = fleet.chats[1]!;
  await expect
    .poll(
      async () =>
        (await sql`select from scheduled_messages where id = any(${made.map(({ id }) => id)}) and state <> 'waiting'`)
          .length,
      {
        interval: 5,
      },
    )
    .toBeGreaterThan(2);
  await victim.kill();
  const ends = await allSettled(
    ana,
    made.map(({ id }) => id),
  );
  expect(new Set(ends.map(({ state }) => state))).toEqual(new Set(['sent']));
  expect(ends[0]!.messageId).toBe(first);
  for (const room of rooms) expect((await textsIn(ana, room)).toSorted()).toEqual(['a', 'b', 'c', 'd']);
});

test('bad times, drafts and numbers are refused when the message is scheduled', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd]);
  const post = (fields: object) =>
    cyd.call('POST', `/v1/rooms/${room}/scheduled`, {
      clientId: `b${keys++}`,
      text: 'x',
      sendAt: soon(60_000),
      ...fields,
    });
  expect(await post({ sendAt: soon(-1) })).toMatchObject({ status: 400, body: { errors: [{ path: '/sendAt' }] } });
  expect((await post({ sendAt: soon(400 * 86_400_000) })).status).toBe(400);
  expect((await post({ sendAt: '2026-03-29T02:30:00' })).status).toBe(400);
  expect(await post({ text: '' })).toMatchObject({ status: 400, body: { errors: [{ path: '/text' }] } });
  expect((await post({ text: 'x'.repeat(8001) })).status).toBe(413);
  // A time with an offset is the same moment, whatever the clocks of its place do meanwhile.
  const offset = await post({ sendAt: '2027-03-28T02:30:00.000+01:00' });
  expect(offset.body).toMatchObject({ sendAt: '2027-03-28T01:30:00.000Z' });
  const refused = await schedule(cyd, room, gtube, soon(300));
  expect(await settled(cyd, refused.id)).toMatchObject({ state: 'refused' });
  const answers = await Promise.all(Array.from({ length: 65 }, () => post({})));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(59);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(6);
  // A refused message that is to be sent again is owed again.
  const again = { text: 'another text', sendAt: soon(60_000) };
  expect(await cyd.call('PATCH', `/v1/scheduled/${refused.id}`, again)).toMatchObject({ status: 409 });
});
