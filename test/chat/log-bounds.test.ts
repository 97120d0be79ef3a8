/** The bounds of queues and memory around the log: each is reached, shows in an answer or metric, and loses nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdLog, holdTable } from '../harness/held-row.ts';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let ana: TestUser;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_MODERATION_TIMEOUT: '5s',
    PARLEY_DATABASE_LANES: '2',
    PARLEY_DATABASE_LOCK_TIMEOUT: '4s',
    PARLEY_MESSAGE_BATCH_MAX: '1',
    PARLEY_MESSAGE_PER_ROOM_MAX: '1',
    PARLEY_MESSAGE_SEND_QUEUE_MAX: '2',
    PARLEY_REALTIME_ROOMS_CACHED: '4',
    PARLEY_REALTIME_RECENT_EVENTS: '1',
    PARLEY_RESUME_CONCURRENCY: '1',
    PARLEY_RESUME_PAGE_EVENTS: '3',
  });
  ana = await signUp(parley.url);
});
afterAll(() => parley.end());

const waiting = () => metricOf(parley.url, 'parley_sends_waiting');
const refused = () => metricOf(parley.url, 'parley_sends_total', { outcome: 'unavailable' });

test('a blocked room queues sends up to the bound; the next is refused with unavailable, and other rooms go on', async () => {
  const [held, free] = [await createRoom([ana]), await createRoom([ana])];
  const socket = await connect(parley.url, ana);
  const before = await refused();
  const log = await holdLog(parley.database, { roomId: held, seq: 2, userId: ana.id });
  const first = socket.say(held, 'first', 'k1');
  await log.waiting(1);
  const second = socket.say(held, 'second', 'k2');
  await expect.poll(waiting).toBe(1);
  const third = await socket.say(held, 'third', 'k3');
  expect(third).toMatchObject({ type: 'error', code: 'unavailable', retryAfterMs: expect.any(Number) });
  expect(await socket.say(free, 'beside')).toMatchObject({ type: 'ack', seq: 2 });
  expect(await refused()).toBe(before + 1);
  await log.release();
  expect([(await first).seq, (await second).seq]).toEqual([2, 3]);
  expect(await socket.say(held, 'third', 'k3')).toMatchObject({ type: 'ack', seq: 4 });
  expect(await socket.say(held, 'third', 'k3')).toMatchObject({ seq: 4, duplicate: true });
  await socket.close();
});

test('all rooms together queue sends up to the bound', async () => {
  const [one, two, free] = [await createRoom([ana]), await createRoom([ana]), await createRoom([ana])];
  const socket = await connect(parley.url, ana);
  const logs = [one, two].map((roomId) => holdLog(parley.database, { roomId, seq: 2, userId: ana.id }));
  const [left, right] = await Promise.all(logs);
  const begun = [socket.say(one, 'a1', 'a1'), socket.say(two, 'b1', 'b1')];
  await Promise.all([left!.waiting(1), right!.waiting(1)]);
  const queued = [socket.say(one, 'a2', 'a2'), socket.say(two, 'b2', 'b2')];
  await expect.poll(waiting).toBe(2);
  expect(await socket.say(free, 'c1', 'c1')).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) });
  await Promise.all([left!.release(), right!.release()]);
  const seqs = (await Promise.all([...begun, ...queued])).map(({ seq }) => seq);
  expect(seqs).toEqual([2, 2, 3, 3]);
  expect(await socket.say(free, 'c1', 'c1')).toMatchObject({ type: 'ack', seq: 2 });
  expect(await waiting()).toBe(0);
  await socket.close();
});

test('rooms without local readers stay in memory up to the bound; a dropped room is read again', async () => {
  const rooms: string[] = [];
  for (let n = 0; n < 12; n++) {
    const room = await createRoom([ana]);
    await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'k', text: `in room ${n}` });
    rooms.push(room);
  }
  const other = await signUp(parley.url);
  for (const room of rooms) expect((await other.call('GET', `/v1/rooms/${room}`)).status).toBe(404);
  await expect.poll(() => metricOf(parley.url, 'parley_sockets_welcomed')).toBe(0);
  expect(await metricOf(parley.url, 'parley_rooms_in_memory')).toBeLessThanOrEqual(4);
  for (const [n, room] of rooms.entries()) {
    const again = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'k', text: `in room ${n}` });
    expect(again).toMatchObject({ seq: 2, duplicate: true });
  }
});

test('a bounded number of replays reads the log at once; the others wait, and each gets all that it missed', async () => {
  const people: TestUser[] = [];
  const rooms: string[] = [];
  for (let n = 0; n < 4; n++) {
    people.push(await signUp(parley.url));
    rooms.push(await createRoom([people[n]!]));
  }
  for (const [at, person] of people.entries()) {
    for (let n = 0; n < 8; n++)
      await mustCall(person, 'POST', `/v1/rooms/${rooms[at]}/messages`, { clientId: `${n}`, text: `${n}` });
  }
  const first = await connect(parley.url, people[0]!);
  const logId = first.welcome.logId as string;
  await first.close();
  // Only replays read this table.
  const edits = await holdTable(parley.database, 'message_edits');
  const sockets = [];
  for (const [at, person] of people.entries())
    sockets.push(await connect(parley.url, person, { logId, rooms: { [rooms[at]!]: 1 } }));
  await expect.poll(() => metricOf(parley.url, 'parley_replays_waiting')).toBe(3);
  await edits.waiting(1);
  await edits.release();
  for (const [at, socket] of sockets.entries()) {
    await socket.until(({ type }) => type === 'resumed');
    expect(socket.events(rooms[at]!).map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  }
});
