import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_RESUME_MAX_EVENTS: '50',
    PARLEY_RESUME_PAGE_EVENTS: '7',
    PARLEY_REALTIME_RECENT_EVENTS: '5',
    PARLEY_REALTIME_HELLO_TIMEOUT: '4s',
  });
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(parley.url)))) as [TestUser, TestUser];
});
afterAll(() => parley.end());

const send = (room: string, text: string) =>
  mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });

test('a resume sends exactly the missed events in order, before any live event, and tells where they end', async () => {
  const room = await createRoom([ana, ben]);
  const before = await connect(parley.url, ben);
  await send(room, 'seen');
  const { seq } = await before.until((frame) => frame.type === 'message.created');
  await before.close();
  for (let n = 0; n < 30; n++) await send(room, `missed ${n}`);
  const sending = Promise.all(Array.from({ length: 10 }, (_, n) => send(room, `live ${n}`)));
  const after = await connect(parley.url, ben, { logId: before.welcome.logId as string, rooms: { [room]: seq! } });
  await sending;
  const resumed = await after.until((frame) => frame.type === 'resumed');
  expect((resumed.rooms as Record<string, number>)[room]).toBeGreaterThanOrEqual(seq! + 30);
  await after.until((frame) => frame.seq === seq! + 40);
  expect(after.events(room).map((frame) => frame.seq)).toEqual(
    Array.from({ length: 40 }, (_, index) => seq! + 1 + index),
  );
  expect(after.texts(room).slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, n) => `missed ${n}`));
});

let busy: { room: string; head: number } | undefined;
/** A room in which much was said, once for all tests. Each says one thing more. */
async function busyRoom(): Promise<{ room: string; head: number }> {
  if (busy) return { ...busy, head: ++busy.head };
  const room = await createRoom([ana, ben]);
  for (let n = 0; n < 55; n++) await send(room, `m${n}`);
  busy = { room, head: 57 };
  return { ...busy };
}

test.each([
  ['too far behind', (head: number) => head - 51],
  ['beyond the head', (head: number) => head + 1],
  ['negative', () => -1],
  ['no number', () => 'seven'],
  ['a fraction', () => 1.5],
])('a position that is %s gets room.reset with the head, and live events from there', async (_, positionOf) => {
  const { room, head } = await busyRoom();
  const { logId } = (await connect(parley.url, ben)).welcome;
  const socket = await connect(parley.url, ben, {
    logId: logId as string,
    rooms: { [room]: positionOf(head) as number },
  });
  await socket.until((frame) => frame.type === 'resumed');
  expect(socket.frames.filter((frame) => frame.type === 'room.reset')).toMatchObject([{ roomId: room, seq: head }]);
  await send(room, `next after ${head}`);
  await socket.until((frame) => frame.type === 'message.created');
  expect(socket.events(room).map((frame) => frame.seq)).toEqual([head + 1]);
});

test('a position of another log is reset', async () => {
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ben, { logId: 'of another database', rooms: { [room]: 1 } });
  await socket.until((frame) => frame.type === 'resumed');
  expect(socket.frames.filter((frame) => frame.type === 'room.reset')).toMatchObject([{ roomId: room, seq: 2 }]);
});

test('the welcome shows rooms joined and renamed during an absence, and rooms left get room.left', async () => {
  const [left, kept] = [await createRoom([ana, ben]), await createRoom([ana, ben], { name: 'Old name' })];
  const before = await connect(parley.url, ben);
  await before.close();
  await mustCall(ana, 'DELETE', `/v1/rooms/${left}/members/${ben.id}`).catch(() => {});
  await mustCall(ana, 'PATCH', `/v1/rooms/${kept}`, { name: 'New name' });
  const joined = await createRoom([ana, ben]);
  const after = await connect(parley.url, ben, {
    logId: before.welcome.logId as string,
    rooms: { [left]: 2, [kept]: 2 },
  });
  const rooms = after.welcome.rooms as { id: string; name: string; seq: number }[];
  expect(rooms.find((each) => each.id === kept)).toMatchObject({ name: 'New name', seq: 3 });
  expect(rooms.map((each) => each.id)).toContain(joined);
  expect(rooms.map((each) => each.id)).not.toContain(left);
  await after.until((frame) => frame.type === 'resumed');
  expect(after.frames.filter((frame) => frame.type === 'room.left')).toMatchObject([
    { roomId: left, data: { reason: 'removed' } },
  ]);
});

test('a room joined while connected is announced and read from its first event on', async () => {
  const socket = await connect(parley.url, ben);
  const room = await createRoom([ana, ben]);
  await send(room, 'hello');
  await socket.until((frame) => frame.type === 'message.created' && frame.roomId === room);
  expect(socket.frames.find((frame) => frame.type === 'room.joined')).toMatchObject({
    roomId: room,
    data: { room: { id: room, memberCount: 2 } },
  });
  expect(socket.events(room).map((frame) => frame.seq)).toEqual([2, 3]);
});

test('a silent socket is closed with 4002, a frame before hello with 4001, a second hello with 4001', async () => {
  const silent = await openSocket(parley.url);
  expect((await silent.closed).code).toBe(4002);
  const early = await openSocket(parley.url);
  early.sendRaw(JSON.stringify({ type: 'ping', id: 1 }));
  expect((await early.closed).code).toBe(4001);
  const twice = await connect(parley.url, ben);
  twice.sendRaw(JSON.stringify({ type: 'hello', id: 2, token: ben.accessToken }));
  expect((await twice.closed).code).toBe(4001);
});

test.each([
  ['a bad token', { token: 'nonsense' }, 'unauthenticated'],
  ['no token', {}, 'unauthenticated'],
  ['an unknown field', { token: 'x', colour: 'red' }, 'invalid'],
])('hello with %s is refused and the socket closed with 4001', async (_, fields, code) => {
  const socket = await openSocket(parley.url);
  socket.sendRaw(JSON.stringify({ type: 'hello', id: 'h', ...fields }));
  expect(await socket.until((frame) => frame.type === 'error')).toMatchObject({ id: 'h', code });
  expect((await socket.closed).code).toBe(4001);
});

test('an Authorization header on the upgrade replaces the token; a bad one refuses the upgrade, and so does a token in the URL', async () => {
  const socket = await openSocket(parley.url, { authorization: `Bearer ${ben.accessToken}` });
  expect(await socket.ask({ type: 'hello' })).toMatchObject({ type: 'welcome', user: { id: ben.id } });
  await expect(openSocket(parley.url, { authorization: 'Bearer nonsense' })).rejects.toMatchObject({ status: 401 });
  const inAddress = await fetch(`${parley.url}/v1/ws?token=x`, {
    headers: { connection: 'upgrade', upgrade: 'websocket' },
  }).catch((error: unknown) => error);
  expect(inAddress).toBeDefined();
});

test.each([
  ['no JSON', 'hello?', 'bad_frame'],
  ['no object', '[1]', 'bad_frame'],
  ['no id', '{"type":"ping"}', 'bad_frame'],
  ['an id that is an object', '{"type":"ping","id":{}}', 'bad_frame'],
  ['an unknown type', '{"type":"sing","id":1}', 'bad_frame'],
  ['a constructor key', '{"type":"ping","id":1,"constructor":1}', 'bad_frame'],
  ['a __proto__ key', '{"type":"ping","id":1,"__proto__":{"a":1}}', 'bad_frame'],
  ['a depth of 40', `{"type":"ping","id":1,"a":${'['.repeat(40)}${']'.repeat(40)}}`, 'bad_frame'],
  ['an unknown field', '{"type":"ping","id":1,"colour":"red"}', 'invalid'],
])('a frame with %s is an error for that frame alone', async (_, data, code) => {
  const socket = await connect(parley.url, ben);
  socket.sendRaw(data);
  expect(await socket.until((frame) => frame.type === 'error')).toMatchObject({ code });
  expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
});

test('an id used twice is a bad frame; more than twenty bad frames close the socket with 1008; a huge frame with 1009', async () => {
  const socket = await connect(parley.url, ben);
  await socket.ask({ type: 'ping', id: 'same' });
  socket.sendRaw(JSON.stringify({ type: 'ping', id: 'same' }));
  await socket.until((frame) => frame.type === 'error' && frame.code === 'bad_frame');
  for (let n = 0; n < 25; n++) socket.sendRaw('not a frame');
  expect((await socket.closed).code).toBe(1008);
  const other = await connect(parley.url, ben);
  other.sendRaw('x'.repeat(70_000));
  expect((await other.closed).code).toBe(1009);
});

test('a hello with a valid token may be large; any other frame before the welcome is at most 8 kB', async () => {
  const room = await createRoom([ana, ben]);
  const { logId } = (await connect(parley.url, ben)).welcome as unknown as { logId: string };
  const others = Array.from({ length: 400 }, (_, n) => [`01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`, 1]);
  const resume = { logId, rooms: { ...Object.fromEntries(others), [room]: 1 } };
  const socket = await connect(parley.url, ben, resume);
  const resumed = await socket.until((frame) => frame.type === 'resumed');
  expect(resumed.rooms).toEqual({ [room]: 2 });
  expect(socket.events(room).map(({ seq }) => seq)).toEqual([2]);
  const tooLarge = [
    { type: 'hello', id: 1, token: 'not good', resume },
    { type: 'hello', id: 1, resume },
    { type: 'message.send', id: 1, roomId: room, clientId: 'c', text: 'x'.repeat(9000), token: ben.accessToken },
  ];
  for (const frame of tooLarge) {
    const stranger = await openSocket(parley.url);
    stranger.sendRaw(JSON.stringify(frame));
    expect(await stranger.closed).toMatchObject({ code: 1009 });
    expect(stranger.frames).toEqual([]);
  }
});
