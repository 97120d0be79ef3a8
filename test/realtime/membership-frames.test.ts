/** The frames about memberships when only the periodic check finds that they began or ended. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { connect, createRoom, mustCall, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: Fleet;
let first: string;
let second: string;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  fleet = await startFleet({
    chats: 2,
    processings: 0,
    // Without Redis the second instance learns from Postgres alone what the first one does.
    redisUrl: '',
    settings: { PARLEY_REALTIME_MEMBERSHIP_CHECK: '1s', PARLEY_REALTIME_ROOMS_PER_SOCKET: '3' },
  });
  [first, second] = fleet.chats.map((chat) => chat.url) as [string, string];
  [ana, ben] = (await Promise.all([signUp(first), signUp(first)])) as [TestUser, TestUser];
});
afterAll(() => fleet.end());

test('a user who leaves before an instance notices the join gets no frame about it', async () => {
  const [left, kept] = [await createRoom([ana]), await createRoom([ana])];
  const there = await connect(second, ben);
  await mustCall(ana, 'PUT', `/v1/rooms/${left}/members/${ben.id}`, {});
  await mustCall(ana, 'DELETE', `/v1/rooms/${left}/members/${ben.id}`);
  await mustCall(ana, 'PATCH', `/v1/rooms/${left}`, { name: 'Not for ben' });
  await mustCall(ana, 'PUT', `/v1/rooms/${kept}/members/${ben.id}`, {});
  await there.until((frame) => frame.type === 'member.joined' && frame.roomId === kept);
  expect(there.frames.filter((frame) => frame.roomId === left)).toEqual([]);
  await mustCall(ana, 'DELETE', `/v1/rooms/${kept}/members/${ben.id}`);
  await there.close();
});

test('a user with more rooms than a socket follows gets no room.left for the others', async () => {
  const eve = await signUp(first);
  const rooms: string[] = [];
  for (let n = 0; n < 5; n++) rooms.push(await createRoom([eve]));
  const { logId } = (await connect(first, eve)).welcome as unknown as { logId: string };
  const positions = Object.fromEntries(rooms.map((room) => [room, 1]));
  const socket = await connect(first, eve, { logId, rooms: positions });
  const resumed = await socket.until((frame) => frame.type === 'resumed');
  const followed = rooms.slice(2).sort();
  expect(Object.keys(resumed.rooms as object).sort()).toEqual(followed);
  expect(socket.frames.filter((frame) => frame.type === 'room.left')).toEqual([]);
  expect(
    socket.frames
      .filter((frame) => frame.type === 'room.reset')
      .map((frame) => frame.roomId)
      .sort(),
  ).toEqual(rooms.slice(0, 2).sort());
});

test('a socket watches at most so many rooms, and may watch another after it closes one', async () => {
  const publicRooms = await Promise.all(
    Array.from({ length: 4 }, () => createRoom([ana], { visibility: 'public', name: 'Square' })),
  );
  const watcher = await connect(first, await signUp(first));
  for (const roomId of publicRooms.slice(0, 3))
    expect(await watcher.ask({ type: 'room.open', roomId })).toMatchObject({ type: 'ack' });
  const fourth = { type: 'room.open', roomId: publicRooms[3] };
  expect(await watcher.ask(fourth)).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
  expect(await watcher.ask({ type: 'room.open', roomId: publicRooms[0] })).toMatchObject({ type: 'ack' });
  await watcher.ask({ type: 'room.close', roomId: publicRooms[0] });
  expect(await watcher.ask(fourth)).toMatchObject({ type: 'ack' });
});

test('a resume that names something other than a room is refused before the welcome, and hello has one answer', async () => {
  const socket = await openSocket(first);
  const answer = await socket.ask({
    type: 'hello',
    token: ben.accessToken,
    resume: { logId: 'any', rooms: { 'no room': 1 } },
  });
  expect(answer).toMatchObject({ type: 'error', code: 'invalid', errors: [{ path: '/resume/rooms/no room' }] });
  expect(await socket.closed).toMatchObject({ code: 4001 });
  expect(socket.frames).toHaveLength(1);
});

test('a member who watches a private room reads it as a member: removal ends it', async () => {
  const cal = await signUp(first);
  const room = await createRoom([ana, cal]);
  const there = await connect(second, ben);
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}`, {});
  // This instance got no hint of the membership: it loads the room with it.
  expect(await there.ask({ type: 'room.open', roomId: room })).toMatchObject({ type: 'ack', seq: 3 });
  const beside = await connect(second, cal);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}`, { name: 'Not for ben' });
  await beside.until((frame) => frame.type === 'room.updated' && frame.roomId === room);
  expect(there.events(room).map(({ type }) => type)).toEqual(['member.left']);
  expect(there.frames.at(-1)).toMatchObject({ type: 'room.left', roomId: room, data: { reason: 'removed' } });
  await Promise.all([there.close(), beside.close()]);
});

test('a member who watches a public room keeps reading when it becomes private', async () => {
  const room = await createRoom([ana], { visibility: 'public', name: 'Square' });
  const there = await connect(second, ben);
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`, {});
  expect(await there.ask({ type: 'room.open', roomId: room })).toMatchObject({ type: 'ack', seq: 2 });
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}`, { visibility: 'private' });
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}`, { name: 'Among us' });
  await there.until((frame) => frame.roomId === room && frame.seq === 4);
  expect(there.frames.filter(({ type }) => type === 'room.left')).toEqual([]);
  await there.close();
});

test('typing of a removed user reaches nobody, even on an instance that still has them as a member in memory', async () => {
  const room = await createRoom([ana, ben]);
  await mustCall(ben.at(second), 'GET', `/v1/rooms/${room}`);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
  const there = await connect(second, ben);
  expect(await there.ask({ type: 'typing', roomId: room, active: true })).toMatchObject({ code: 'not_found' });
  await there.close();
});

test('an upgrade with a session is not welcomed if the session ends before hello', async () => {
  const eve = await signUp(first);
  await createRoom([eve], { name: 'Nobody’s business' });
  const there = await openSocket(second, { authorization: `Bearer ${eve.accessToken}` });
  await mustCall(eve, 'POST', '/v1/auth/logout');
  there.sendRaw(JSON.stringify({ type: 'hello', id: 1 }));
  expect([4001, 4003]).toContain((await there.closed).code);
  expect(there.frames.filter(({ type }) => type !== 'error')).toEqual([]);
});
