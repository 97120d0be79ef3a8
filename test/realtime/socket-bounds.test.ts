/** The bounds of one socket, one user and many clients: each refuses with its code and does not affect others. */
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdLog, holdTable } from '../harness/held-row.ts';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  openSocket,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';

let parley: Single;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_MODERATION_TIMEOUT: '5s',
    PARLEY_MODERATION_FLOOD_ACTION: 'off',
    PARLEY_REALTIME_SOCKETS_PER_USER: '3',
    PARLEY_REALTIME_IN_FLIGHT_PER_SOCKET: '2',
    PARLEY_REALTIME_ANSWER_TIMEOUT: '1500ms',
    PARLEY_REALTIME_HANDSHAKES_MAX: '2',
    PARLEY_REALTIME_HANDSHAKE_QUEUE_MAX: '2',
    PARLEY_REALTIME_FRAGMENTS_MAX: '8',
    PARLEY_REALTIME_QUEUE_EVENTS: '40',
    PARLEY_REALTIME_QUEUE_BYTES: '1MB',
    PARLEY_RESUME_MAX_EVENTS: '100000',
    PARLEY_LIMITS_MESSAGES_PER_SECOND: '2',
    PARLEY_LIMITS_MESSAGES_BURST: '4',
    PARLEY_LIMITS_FRAMES_PER_SECOND: '5',
    PARLEY_LIMITS_FRAMES_BURST: '30',
    PARLEY_LIMITS_TYPING_PER_SECOND: '1',
    PARLEY_LIMITS_CLOSE_AFTER: '10',
  });
});
afterAll(() => parley.end());

const closes = (code: number) => metricOf(parley.url, 'parley_socket_closes_total', { code: String(code) });
const refused = (code: string) => metricOf(parley.url, 'parley_frame_errors_total', { code });
const codesOf = (frames: readonly Frame[]) => frames.map(({ type, code }) => code ?? type);
/** Sends hello and resolves with its answer, whatever it is. */
const greet = async ({ accessToken }: TestUser): Promise<{ socket: TestSocket; answer: Frame }> => {
  const socket = await openSocket(parley.url);
  return { socket, answer: await socket.ask({ type: 'hello', token: accessToken }) };
};

test('a user has at most so many sockets, until one of them closes; other users have their own', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const before = await closes(4029);
  const own = [await connect(parley.url, ana), await connect(parley.url, ana), await connect(parley.url, ana)];
  const { socket, answer } = await greet(ana);
  expect(answer).toMatchObject({ type: 'error', code: 'rate_limited', retryAfterMs: expect.any(Number) });
  expect((await socket.closed).code).toBe(4029);
  expect(await closes(4029)).toBe(before + 1);
  expect((await greet(ben)).answer.type).toBe('welcome');
  await own[0]!.close();
  await expect.poll(async () => (await greet(ana)).answer.type).toBe('welcome');
});

test('a socket that sends too fast learns when to continue; its refused keys are free, and other sockets are not slowed', async () => {
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const [fast, other] = [await connect(parley.url, ana), await connect(parley.url, ana)];
  const before = await refused('rate_limited');
  const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => fast.say(room, `text ${n}`, `k${n}`)));
  expect(codesOf(answers)).toEqual(['ack', 'ack', 'ack', 'ack', 'rate_limited', 'rate_limited']);
  expect(answers[5]!.retryAfterMs).toBeGreaterThan(0);
  expect(answers[5]!.retryAfterMs).toBeLessThanOrEqual(1000);
  expect(await refused('rate_limited')).toBe(before + 2);
  expect(await other.say(room, 'beside')).toMatchObject({ type: 'ack' });
  await expect.poll(async () => (await fast.say(room, 'text 5', 'k5')).type, { interval: 300 }).toBe('ack');
  expect(await other.say(room, 'text 5', 'k5')).toMatchObject({ duplicate: true });
});

test('typing is passed on at most so often', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const room = await createRoom([ana, ben]);
  const [here, there] = [await connect(parley.url, ana), await connect(parley.url, ben)];
  const typing = [true, false, true, false].map((active) => here.ask({ type: 'typing', roomId: room, active }));
  expect(codesOf(await Promise.all(typing))).toEqual(['ack', 'ack', 'rate_limited', 'rate_limited']);
  await here.say(room, 'said');
  await there.until(({ type }) => type === 'message.created');
  expect(there.frames.filter(({ type }) => type === 'typing')).toHaveLength(2);
});

test('frames of any kind beyond the rate are refused one by one, and a socket that continues is closed with 4029', async () => {
  const socket = await connect(parley.url, await signUp(parley.url));
  const before = await closes(4029);
  const burst = await Promise.all(Array.from({ length: 30 }, () => socket.ask({ type: 'ping' })));
  expect(codesOf(burst)).toEqual(burst.map(() => 'ack'));
  for (let id = 0; id < 100; id++) socket.sendRaw(JSON.stringify({ type: 'ping', id }));
  expect((await socket.closed).code).toBe(4029);
  const answers = codesOf(socket.frames.filter(({ id }) => typeof id === 'number'));
  expect(answers.filter((code) => code === 'rate_limited')).toHaveLength(11);
  expect(answers.length).toBeLessThan(30);
  expect(await closes(4029)).toBe(before + 1);
});

test.each(['ping', 'pong'] as const)(
  'a flood of %ss ends the socket with 1008, and a few are welcome',
  async (kind) => {
    const socket = await connect(parley.url, await signUp(parley.url));
    for (let n = 0; n < 20; n++) socket.socket[kind]();
    expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
    for (let n = 0; n < 100; n++) socket.socket[kind]();
    expect((await socket.closed).code).toBe(1008);
  },
);

test('a frame is answered in time, and frames beyond the number in flight stay unread until then', async () => {
  const ana = await signUp(parley.url);
  const [room, free] = [await createRoom([ana]), await createRoom([ana])];
  const [socket, other] = [await connect(parley.url, ana), await connect(parley.url, ana)];
  const log = await holdLog(parley.database, { roomId: room, seq: 2, userId: ana.id });
  const order: string[] = [];
  const note = async (name: string, answer: Promise<Frame>) => {
    const { code, type } = await answer;
    order.push(`${name} ${code ?? type}`);
  };
  const all = [
    note('first', socket.say(room, 'first', 'k1')),
    note('second', socket.say(room, 'second', 'k2')),
    note('ping', socket.ask({ type: 'ping' })),
  ];
  expect(await other.say(free, 'beside')).toMatchObject({ type: 'ack' });
  expect(order).toEqual([]);
  await Promise.all(all.slice(0, 2));
  // The sender gets `outcome_unknown` in time, although the work still goes on.
  expect(order.slice(0, 2).toSorted()).toEqual(['first outcome_unknown', 'second outcome_unknown']);
  await log.release();
  await Promise.all(all);
  // If it was read with the two, it was definitely refused in time; if it was read after them, it was answered.
  expect(['ping unavailable', 'ping ack']).toContain(order[2]);
  await expect.poll(async () => (await socket.say(room, 'first', 'k1')).seq, { interval: 500 }).toBe(2);
  expect(await socket.say(room, 'second', 'k2')).toMatchObject({ seq: 3 });
});

test('a bounded number of hellos are answered at once and a bounded number wait; then upgrades are refused, and all that waited are served', async () => {
  const people = await Promise.all(Array.from({ length: 4 }, () => signUp(parley.url)));
  const before = await metricOf(parley.url, 'parley_hellos_refused_total');
  const open = await Promise.all([...people, people[0]!].map(() => openSocket(parley.url)));
  const members = await holdTable(parley.database, 'members');
  const answers = people.map(({ accessToken }, at) => open[at]!.ask({ type: 'hello', token: accessToken }));
  await expect.poll(() => metricOf(parley.url, 'parley_hellos_waiting')).toBe(2);
  await expect(openSocket(parley.url)).rejects.toMatchObject({ status: 503 });
  const late = await open[4]!.ask({ type: 'hello', token: people[0]!.accessToken });
  expect(late).toMatchObject({ type: 'error', code: 'unavailable', retryAfterMs: expect.any(Number) });
  expect((await open[4]!.closed).code).toBe(1012);
  expect(await metricOf(parley.url, 'parley_hellos_refused_total')).toBe(before + 2);
  await members.release();
  expect(codesOf(await Promise.all(answers))).toEqual(['welcome', 'welcome', 'welcome', 'welcome']);
  expect((await greet(people[1]!)).answer.type).toBe('welcome');
});

test('at most so many events wait for a reader, however small they are; a reader that is behind gets no ephemeral ones', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const room = await createRoom([ana, ben]);
  const stalled = await connect(parley.url, ben);
  stalled.socket.pause();
  const [closed, dropped] = [await closes(4008), await metricOf(parley.url, 'parley_ephemeral_dropped_total')];
  const text = 'A line of ordinary words. '.repeat(290);
  const send = (n: number) =>
    ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: `${n}`, text: `${n} ${text}` });
  let last = 0;
  // First the kernel's buffers fill, then the queue.
  for (let round = 0; round < 100 && (await closes(4008)) === closed; round++) {
    await Promise.all(Array.from({ length: 10 }, () => send(last++)));
    // A signal without a seq, for all devices of the reader.
    await mustCall(ben, 'PUT', `/v1/rooms/${room}/read`, { seq: last });
    expect(await metricOf(parley.url, 'parley_socket_queue_bytes')).toBeLessThan(4_000_000);
  }
  expect(await closes(4008)).toBe(closed + 1);
  expect(await metricOf(parley.url, 'parley_ephemeral_dropped_total')).toBeGreaterThan(dropped);
  stalled.socket.resume();
  await stalled.closed;
  const seen = stalled.events(room).at(-1)!.seq!;
  const back = await connect(parley.url, ben, { logId: stalled.welcome.logId as string, rooms: { [room]: seen } });
  await back.until(({ type }) => type === 'resumed');
  const seqs = [...stalled.events(room), ...back.events(room)].map(({ seq }) => seq!);
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => seqs[0]! + at));
  expect(seqs.at(-1)).toBe(last + 2);
});

/** Opens a socket by hand and writes bytes behind the handshake. @returns the code of the close frame that answers them */
function closeCodeFor(bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const { port, host } = new URL(parley.url);
    const raw = connectTcp(Number(port), '127.0.0.1');
    raw.on('error', reject);
    raw.write(
      `GET /v1/ws HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: parley.v1\r\n\r\n`,
    );
    let read = Buffer.alloc(0);
    let upgraded = false;
    raw.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\r\n\r\n');
      if (!upgraded && end >= 0) {
        upgraded = true;
        read = read.subarray(end + 4);
        raw.write(bytes);
      }
    });
    raw.on('close', () => (read[0] === 0x88 ? resolve(read.readUInt16BE(2)) : reject(new Error('no close frame'))));
  });
}

/** A client frame with a mask of zero, so that the payload is not changed by it. */
const frame = (first: number, payload: Buffer | string, masked = true) => {
  const body = Buffer.from(payload);
  return Buffer.concat([
    Buffer.from([first, (masked ? 0x80 : 0) | body.length, ...(masked ? [0, 0, 0, 0] : [])]),
    body,
  ]);
};
const hugeHeader = Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

test.each<[string, Buffer, number]>([
  ['a frame without a mask', frame(0x81, '{}', false), 1002],
  ['compression that nobody agreed on', frame(0xc1, '{}'), 1002],
  ['an opcode that there is not', frame(0x83, '{}'), 1002],
  ['a control frame in fragments', frame(0x09, ''), 1002],
  ['text that is no UTF-8', frame(0x81, Buffer.from([0xff, 0xfe])), 1007],
  ['a frame that says it has 4 GB', hugeHeader, 1009],
  [
    'more fragments than there may be',
    Buffer.concat([frame(0x01, 'x'), ...Array.from({ length: 8 }, () => frame(0x00, 'x'))]),
    1008,
  ],
  [
    'as many empty fragments',
    Buffer.concat([frame(0x01, ''), ...Array.from({ length: 8 }, () => frame(0x00, ''))]),
    1008,
  ],
])('%s closes the socket with its code, and is counted', async (_, bytes, code) => {
  const before = await closes(code);
  expect(await closeCodeFor(bytes)).toBe(code);
  expect(await closes(code)).toBe(before + 1);
});

test('a frame in the largest number of fragments is read', async () => {
  const socket = await connect(parley.url, await signUp(parley.url));
  const letters = [...JSON.stringify({ type: 'ping', id: 7 })];
  const parts = Array.from({ length: 8 }, (_, at) => letters.filter((_letter, place) => Math.floor(place / 4) === at));
  for (const [at, part] of parts.entries()) socket.socket.send(part.join(''), { fin: at === 7 });
  await socket.until(({ type, id }) => type === 'ack' && id === 7);
});
