/** What may happen during a welcome: frames right after hello, changes of rooms and markers, and very many rooms. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdTable } from '../harness/held-row.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let ana: TestUser;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_REALTIME_RECENT_EVENTS: '5',
    // Nothing else reads the tables that a test locks.
    PARLEY_REALTIME_HEAD_CHECK: '60s',
    PARLEY_REALTIME_MEMBERSHIP_CHECK: '60s',
    PARLEY_REALTIME_ROOMS_PER_SOCKET: '4',
    PARLEY_REALTIME_IN_FLIGHT_PER_SOCKET: '4',
    PARLEY_ROOM_UNREAD_MAX: '8',
    PARLEY_ROOM_UNREAD_TOTAL: '20',
  });
  ana = await signUp(parley.url);
});
afterAll(() => parley.end());

const fill = async (room: string, count: number) => {
  for (let n = 0; n < count; n++)
    await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: `${n}`, text: `text ${n}` });
};
const sendFrame = (id: string, roomId: string) =>
  JSON.stringify({ type: 'message.send', id, roomId, clientId: id, text: id });

test('with many rooms, small unread counts are still exact', async () => {
  const kim = await signUp(parley.url);
  const rooms: string[] = [];
  for (let n = 0; n < 4; n++) rooms.push(await createRoom([ana, kim]));
  await fill(rooms[0]!, 8);
  const { welcome } = await connect(parley.url, kim);
  const { rooms: told } = welcome as unknown as { rooms: { id: string; unread: number }[] };
  // A total of 20 would be 5 for each of four.
  expect(told.find(({ id }) => id === rooms[0])).toMatchObject({ unread: 8 });
});

test('frames sent right after hello come before frames sent after the welcome, even during a long replay', async () => {
  const ben = await signUp(parley.url);
  const [long, room] = [await createRoom([ana, ben]), await createRoom([ana, ben])];
  await fill(long, 10);
  const { logId } = (await connect(parley.url, ben)).welcome as unknown as { logId: string };
  // Reading the log needs this table, and sending does not.
  const held = await holdTable(parley.database, 'message_edits');
  const socket = await openSocket(parley.url);
  const resume = { logId, rooms: { [long]: 2 } };
  socket.sendRaw(JSON.stringify({ type: 'hello', id: 'hello', token: ben.accessToken, resume }));
  socket.sendRaw(sendFrame('first', room));
  await socket.until(({ type }) => type === 'welcome');
  socket.sendRaw(sendFrame('second', room));
  const acks = await Promise.all(['first', 'second'].map((name) => socket.until(({ id }) => id === name)));
  expect(acks.map(({ seq }) => seq)).toEqual([3, 4]);
  expect(socket.frames.map(({ type }) => type)).not.toContain('resumed');
  await held.release();
  await socket.until(({ type }) => type === 'resumed');
  expect(socket.events(long).map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, at) => at + 3));
});

test('more frames after hello than may be in flight wait for the welcome, and are answered in order', async () => {
  const room = await createRoom([ana]);
  const socket = await openSocket(parley.url);
  socket.sendRaw(JSON.stringify({ type: 'hello', id: 'hello', token: ana.accessToken }));
  const names = Array.from({ length: 40 }, (_, n) => `m${n}`);
  for (const name of names) socket.sendRaw(sendFrame(name, room));
  const acks = await Promise.all(names.map((name) => socket.until(({ id }) => id === name)));
  expect(acks.map(({ seq }) => seq)).toEqual(names.map((_, at) => at + 2));
});

test('a read marker that moves during the welcome is sent after it, not before', async () => {
  const ben = await signUp(parley.url);
  const room = await createRoom([ana, ben]);
  await fill(room, 1);
  const one = await connect(parley.url, ben);
  // Only the welcome reads how a membership of a left room ended.
  const held = await holdTable(parley.database, 'membership_changes');
  const other = await openSocket(parley.url);
  const resume = { logId: 'any', rooms: { [randomUUID()]: 1 } };
  other.sendRaw(JSON.stringify({ type: 'hello', id: 1, token: ben.accessToken, resume }));
  await held.waiting(1);
  expect(await one.ask({ type: 'read', roomId: room, seq: 3 })).toMatchObject({ lastReadSeq: 3, unread: 0 });
  await held.release();
  const told = await other.until(({ type }) => type === 'read.updated');
  expect(told.data).toMatchObject({ lastReadSeq: 3 });
  expect(other.frames[0]!.type).toBe('welcome');
});

test('a user who rejoins before room.left is sent gets the join last, and reads the room', async () => {
  const ben = await signUp(parley.url);
  const [long, room] = [await createRoom([ana, ben]), await createRoom([ana, ben])];
  await fill(long, 10);
  const { logId } = (await connect(parley.url, ben)).welcome as unknown as { logId: string };
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
  const held = await holdTable(parley.database, 'message_edits');
  const socket = await openSocket(parley.url);
  const resume = { logId, rooms: { [long]: 2, [room]: 2 } };
  socket.sendRaw(JSON.stringify({ type: 'hello', id: 'hello', token: ben.accessToken, resume }));
  await socket.until(({ type }) => type === 'welcome');
  const added = mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}`, {});
  await held.waiting(2);
  await held.release();
  await added;
  await fill(room, 1);
  await socket.until(({ type, roomId }) => type === 'message.created' && roomId === room);
  await socket.until(({ type }) => type === 'resumed');
  const about = socket.frames.filter(({ type, roomId }) => roomId === room && /^room\.(joined|left)$/.test(type));
  expect(about.map(({ type }) => type)).toEqual(['room.left', 'room.joined']);
  expect(socket.events(room).map(({ seq }) => seq)).toEqual([4, 5]);
});

test('of many rooms the welcome has the most active ones, each with its unread count up to its share', async () => {
  const ben = await signUp(parley.url);
  const rooms: string[] = [];
  for (let n = 0; n < 6; n++) rooms.push(await createRoom([ana, ben]));
  for (const room of rooms) await fill(room, 9);
  const { welcome } = await connect(parley.url, ben, { logId: 'another', rooms: { [rooms[0]!]: 1 } });
  const newest = rooms.slice(2).toReversed();
  expect(welcome.rooms).toMatchObject(newest.map((id) => ({ id, seq: 11, lastReadSeq: 0, unread: 5, mentions: 0 })));
  const pages = await mustCall(ben, 'GET', '/v1/rooms?limit=2');
  expect(pages.items).toMatchObject(newest.slice(0, 2).map((id) => ({ id, unread: 6, memberCount: 2 })));
  const next = await mustCall(ben, 'GET', `/v1/rooms?limit=100&cursor=${pages.nextCursor as string}`);
  expect(next.items).toMatchObject(
    rooms
      .slice(0, 4)
      .toReversed()
      .map((id) => ({ id, unread: 5 })),
  );
  expect(next.nextCursor).toBeNull();
});

test('the welcome names a direct message after the other user, and read messages do not count', async () => {
  const ben = await signUp(parley.url);
  const { id } = await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] });
  await fill(id as string, 3);
  await mustCall(ben, 'PUT', `/v1/rooms/${id as string}/read`, { seq: 4 });
  const { welcome } = await connect(parley.url, ben);
  expect(welcome.rooms).toMatchObject([{ id, kind: 'dm', name: ana.username, seq: 5, lastReadSeq: 4, unread: 1 }]);
});
