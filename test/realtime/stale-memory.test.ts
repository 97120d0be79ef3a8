/** A feed may be outdated, because it has no readers or missed a hint. No reader may notice. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let first: string;
let second: string;
let [ana, ben, eve]: TestUser[] = [];

beforeAll(async () => {
  // Rare checks, so that they cannot repair what must be right at once.
  fleet = await borrowFleet('rare-checks');
  [first, second] = fleet.chats.map((chat) => chat.url) as [string, string];
  [ana, ben, eve] = await Promise.all([signUp(first), signUp(first), signUp(first)]);
});
afterAll(() => fleet.end());

/** Makes the second instance load the room, and then stop following it. */
async function remember(room: string, reader: TestUser): Promise<void> {
  const socket = await connect(second, reader);
  await socket.close();
  await mustCall(reader.at(second), 'GET', `/v1/rooms/${room}`);
}

/** Hints for a user reach the second instance once it has subscribed to them, a moment after the welcome. */
async function listened(there: Awaited<ReturnType<typeof connect>>, person: TestUser): Promise<void> {
  const told = () => there.frames.some(({ type }) => type === 'room.joined');
  const tell = async () => {
    if (!told()) await createRoom([ana!, person]);
    return told();
  };
  await expect.poll(tell, { interval: 100 }).toBe(true);
}

test('a new member reads the room on an instance that has it in memory without them', async () => {
  const room = await createRoom([ana!, eve!]);
  await remember(room, eve!);
  const there = await connect(second, ben!);
  await listened(there, ben!);
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${ben!.id}`, {});
  await there.until((frame) => frame.type === 'room.joined' && frame.roomId === room);
  await mustCall(ana!, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'a1', text: 'welcome' });
  await there.until((frame) => frame.type === 'message.created' && frame.roomId === room);
  expect(there.events(room).map(({ seq }) => seq)).toEqual([3, 4]);
});

test('a resume is answered from the log, not from outdated memory', async () => {
  const room = await createRoom([ana!, ben!, eve!]);
  const { logId } = (await connect(first, ben!)).welcome as unknown as { logId: string };
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  // In memory as of a moment at which ben is no member.
  await remember(room, eve!);
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${ben!.id}`, {});
  await mustCall(ana!, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'b1', text: 'back' });
  const back = await connect(second, ben!, { logId, rooms: { [room]: 3 } });
  const resumed = await back.until((frame) => frame.type === 'resumed');
  expect(resumed.rooms).toEqual({ [room]: 6 });
  expect(back.events(room).map(({ seq }) => seq)).toEqual([4, 5, 6]);
  expect(back.frames.filter((frame) => frame.type === 'room.left')).toEqual([]);
});

test('in a room whose history begins with joining, a user who comes back gets the first seq that they may read', async () => {
  const room = await createRoom([ana!, ben!], { history: 'joined' });
  const { logId } = (await connect(first, ben!)).welcome as unknown as { logId: string };
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  await mustCall(ana!, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'c1', text: 'between us' });
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${ben!.id}`, {});
  const back = await connect(second, ben!, { logId, rooms: { [room]: 2 } });
  await back.until((frame) => frame.type === 'resumed');
  const rooms = back.welcome.rooms as { id: string; readableFrom: number }[];
  expect(rooms.find(({ id }) => id === room)!.readableFrom).toBe(5);
  // The events of the earlier membership are not sent. A silent step from 2 to 5 would look complete.
  expect(back.frames.filter((frame) => frame.type === 'room.reset')).toMatchObject([{ roomId: room, seq: 5 }]);
  expect(back.events(room)).toEqual([]);
  const history = await mustCall(ben!, 'GET', `/v1/rooms/${room}/events`);
  expect((history.events as { seq: number }[]).map(({ seq }) => seq)).toEqual([5]);
});

test('a frame sent after the ack of a logout on another instance changes nothing', async () => {
  const dan = await signUp(first);
  const room = await createRoom([dan, ana!]);
  const { id } = await mustCall(dan, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'd1', text: 'as it was' });
  const there = await connect(second, dan);
  await mustCall(dan, 'POST', '/v1/auth/logout');
  const line = await there
    .ask({ type: 'message.edit', roomId: room, messageId: id as string, text: 'changed' })
    .catch(() => undefined);
  expect(line === undefined || line.code === 'unauthenticated').toBe(true);
  expect((await there.closed).code).toBe(4003);
  const message = await mustCall(ana!, 'GET', `/v1/rooms/${room}/messages/${id as string}`);
  expect(message.text).toBe('as it was');
});

test.each([
  {
    what: 'a message',
    append: (room: string) =>
      ana!.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'behind a loss', text: 'goes on' }),
  },
  { what: 'a change of the room', append: (room: string) => ana!.call('PATCH', `/v1/rooms/${room}`, { topic: 'new' }) },
])('$what is not appended after a missing event: the log gets another id', async ({ append }) => {
  const room = await createRoom([ana!, ben!]);
  const here = await connect(first, ana!);
  for (let n = 0; n < 5; n++) await here.say(room, `said ${n}`);
  const sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  await sql`delete from events where room_id = ${room} and seq > 4`;
  expect((await append(room)).status).toBeLessThan(300);
  expect((await here.closed).code).toBe(1012);
  const seqs = await sql`select seq::int from events where room_id = ${room} order by seq`;
  expect(seqs.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  const back = await connect(first, ana!, { logId: here.welcome.logId as string, rooms: { [room]: 7 } });
  await back.until((frame) => frame.type === 'resumed');
  expect(back.welcome.logId).not.toBe(here.welcome.logId);
  expect(back.frames.filter((frame) => frame.type === 'room.reset' && frame.roomId === room)).toMatchObject([
    { seq: 5 },
  ]);
  await sql.end();
});

test('a log restored in place is another log: clients start over, positions are reset, and no seq is left out', async () => {
  const room = await createRoom([ana!, ben!]);
  const here = await connect(first, ana!);
  const there = await connect(second, ben!);
  for (let n = 0; n < 5; n++) await here.say(room, `lost ${n}`);
  await there.until((frame) => frame.seq === 7);
  const sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  // What a restore of an older dump leaves: fewer rows, all written by the restore.
  await sql.begin(async (tx) => {
    await tx`delete from events where room_id = ${room} and seq > 4`;
    await tx`with old as (delete from log_identity returning *) select * from old`;
    await tx`insert into log_identity (singleton, log_id) values (true, ${'00000000-0000-7000-8000-000000000001'})`;
  });
  // No check has run: the append itself finds out.
  const clientId = 'after the restore';
  const answer = await ana!.call('POST', `/v1/rooms/${room}/messages`, { clientId, text: 'new' });
  expect(answer).toMatchObject({ status: 201, body: { seq: 5 } });
  expect((await here.closed).code).toBe(1012);
  await mustCall(ana!.at(second), 'POST', `/v1/rooms/${room}/messages`, { clientId: 'second', text: 'and the other' });
  expect((await there.closed).code).toBe(1012);
  const seqs = await sql`select seq::int from events where room_id = ${room} order by seq`;
  expect(seqs.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  const back = await connect(second, ben!, { logId: there.welcome.logId as string, rooms: { [room]: 7 } });
  await back.until((frame) => frame.type === 'resumed');
  expect(back.welcome.logId).not.toBe(there.welcome.logId);
  expect(back.frames.filter((frame) => frame.type === 'room.reset' && frame.roomId === room)).toMatchObject([
    { seq: 6 },
  ]);
  await sql.end();
});
