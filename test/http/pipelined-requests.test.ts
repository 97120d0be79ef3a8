/** Several requests sent at once on one connection: each is answered, or not done. */
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { holdUser } from '../harness/held-row.ts';
import { openRaw, rawRequest, statusesIn } from '../harness/raw-connection.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { createRoom, signUp, type TestUser } from '../harness/test-client.ts';

const settings = { PARLEY_HTTP_BODY_BYTES: '4kB', PARLEY_DRAIN_WINDOW: '200ms' };
let parley: Single;
let ana: TestUser;
let room: string;

beforeAll(async () => {
  parley = await startSingle(settings);
  ana = await signUp(parley.url);
});
// What an earlier test left on its way is in another room.
beforeEach(async () => {
  room = await createRoom([ana]);
});
afterAll(() => parley.end());

const sendTo = (roomId: string, user: TestUser, text: string, headers: Record<string, string> = {}) =>
  rawRequest('POST', `/v1/rooms/${roomId}/messages`, {
    token: user.accessToken,
    body: { clientId: text, text },
    headers,
  });
const send = (text: string) => sendTo(room, ana, text);

/** A send whose body is these bytes, in chunks. */
const chunked = (body: string) => {
  const headers = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
  return rawRequest('POST', `/v1/rooms/${room}/messages`, { token: ana.accessToken, headers }) + body;
};
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

const stored = async (url: string, roomId: string) => {
  const sql = postgres(url, { max: 1 });
  const rows = await sql<{ text: string }[]>`select text from events
    where room_id = ${roomId} and type = 'message.created' order by seq`;
  await sql.end();
  return rows.map(({ text }) => text);
};

test('pipelined requests are answered in their order, and their effects have that order', async () => {
  const raw = await openRaw(parley.url);
  const texts = Array.from({ length: 40 }, (_, n) => `in order ${n}`);
  raw.write(texts.map(send).join(''));
  await expect.poll(() => statusesIn(raw.read()).length).toBe(texts.length);
  expect(new Set(statusesIn(raw.read()))).toEqual(new Set([201]));
  expect(await stored(parley.database.url, room)).toEqual(texts);
  raw.destroy();
});

test.each([
  ['a chunk that is no chunk', () => chunked('nonsense\r\n'), 400],
  ['a length that is no number', () => sendTo(room, ana, 'odd length', { 'content-length': 'x' }), 400],
  ['a body that is too large', () => chunked(`${chunk('x'.repeat(5000))}0\r\n\r\n`), 413],
  ['a body that is no JSON', () => chunked(`${chunk('{"clientId":')}0\r\n\r\n`), 400],
  ['no request at all', () => 'nonsense\r\n\r\n', 400],
])(
  '%s in the middle: as many sends are stored as were answered, and in the order of the answers',
  async (name, broken, status) => {
    const raw = await openRaw(parley.url);
    raw.write(send(`${name} 1`) + send(`${name} 2`) + broken() + send(`${name} 3`) + send(`${name} 4`));
    await expect.poll(() => statusesIn(raw.read()).filter((each) => each === status).length).toBe(1);
    // A connection that stays open is asked for one more answer; the others end by themselves.
    raw.write(rawRequest('GET', '/health/live', { headers: { connection: 'close' } }));
    await raw.closed;
    const answers = statusesIn(raw.read());
    expect(answers.slice(0, 3)).toEqual([201, 201, status]);
    const acked = answers.filter((each) => each === 201).length;
    const texts = await stored(parley.database.url, room);
    expect(texts).toEqual(Array.from({ length: acked }, (_, n) => `${name} ${n + 1}`));
  },
);

test('an upgrade behind a request that is not answered yet does not get in front of its answer', async () => {
  const raw = await openRaw(parley.url);
  const upgrade = rawRequest('GET', '/v1/ws', {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'parley.v1',
    },
  });
  raw.write(send('before the upgrade') + upgrade);
  await expect.poll(() => statusesIn(raw.read())).toEqual([201, 426]);
  raw.destroy();
});

test('a drain answers the request that is being worked on; those behind it are neither answered nor done', async () => {
  const going = await startSingle(settings);
  onTestFinished(() => going.database.drop());
  const ben = await signUp(going.url);
  const here = await createRoom([ben]);
  const held = await holdUser(going.database, ben.id);
  const raw = await openRaw(going.url);
  // Blocked by the held row.
  const first = rawRequest('PATCH', '/v1/users/me', { token: ben.accessToken, body: { displayName: 'Ben' } });
  raw.write(first + Array.from({ length: 8 }, (_, n) => sendTo(here, ben, `behind ${n}`)).join(''));
  await held.waiting(1);
  going.signal('SIGTERM');
  await expect.poll(() => going.output()).toContain('draining');
  await held.release();
  await raw.closed;
  expect(await going.stop()).toBe(0);
  const answers = statusesIn(raw.read());
  expect(answers[0]).toBe(200);
  expect(await stored(going.database.url, here)).toHaveLength(answers.length - 1);
});
