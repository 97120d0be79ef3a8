import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { createMessageRepository } from '../../src/chat/messages/message-repository.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;
let eve: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben, eve] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [TestUser, TestUser, TestUser];
});

interface MessageBody {
  id: string;
  seq: number;
  text: string;
  html: string;
  editedAt: string | null;
  deletedAt: string | null;
  replyCount: number;
}

const history = async (user: TestUser, room: string, query = '') =>
  (await mustCall(user, 'GET', `/v1/rooms/${room}/messages${query}`)) as unknown as {
    messages: MessageBody[];
    hasMore: boolean;
  };

test('a message sent over REST reaches sockets, and one sent over a socket is in the history', async () => {
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ben);
  const sent = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'a1', text: 'by **REST**' });
  expect(sent).toMatchObject({
    roomId: room,
    text: 'by **REST**',
    sender: { id: ana.id, username: ana.username },
    clientId: 'a1',
    editedAt: null,
    deletedAt: null,
    reactions: [],
    attachments: [],
  });
  const event = await socket.until((frame) => frame.type === 'message.created');
  expect(event).toMatchObject({
    roomId: room,
    seq: sent.seq,
    at: sent.createdAt,
    data: { message: { id: sent.id, text: 'by **REST**' } },
  });
  const ack = await socket.say(room, 'by socket');
  expect(ack).toMatchObject({
    type: 'ack',
    seq: (sent.seq as number) + 1,
    messageId: expect.any(String),
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  });
  expect((await history(ana, room)).messages.map((each) => each.text)).toEqual(['by **REST**', 'by socket']);
});

test('a repeated clientId gets the first answer over REST and WebSocket; with other content it is a conflict', async () => {
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  const first = await socket.say(room, 'once', 'key');
  expect(await socket.say(room, 'once', 'key')).toMatchObject({
    type: 'ack',
    seq: first.seq,
    messageId: first.messageId,
    duplicate: true,
  });
  expect(await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'key', text: 'once' })).toMatchObject({
    status: 200,
    body: { id: first.messageId, duplicate: true },
  });
  expect(await socket.say(room, 'twice', 'key')).toMatchObject({ type: 'error', code: 'conflict' });
  expect(await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'key', text: 'twice' })).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  expect((await history(ana, room)).messages).toHaveLength(1);
});

test('a hundred concurrent sends with one clientId store one message, and all get its answer', async () => {
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  const answers = await Promise.all(Array.from({ length: 100 }, () => socket.say(room, 'the same', 'one key')));
  expect(new Set(answers.map((each) => each.messageId)).size).toBe(1);
  expect(answers.filter((each) => each.duplicate).length).toBe(99);
  expect((await history(ana, room)).messages).toHaveLength(1);
});

test('sends pipelined on one socket keep their order', async () => {
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  const texts = Array.from({ length: 200 }, (_, index) => `line ${index}`);
  const acks = await Promise.all(texts.map((text) => socket.say(room, text)));
  const seqs = acks.map((each) => each.seq!);
  expect(seqs).toEqual(seqs.toSorted((left, right) => left - right));
  await socket.until((frame) => frame.seq === seqs.at(-1) && frame.type === 'message.created');
  expect(socket.texts(room)).toEqual(texts);
});

test('a blocked message is refused with its labels, is delivered to nobody and leaves its clientId free', async () => {
  const room = await createRoom([ana, ben]);
  const [from, to] = await Promise.all([connect(parley.url, ana), connect(parley.url, ben)]);
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  const refused = await from.say(room, `hello ${gtube}`, 'k');
  expect(refused).toMatchObject({
    type: 'error',
    code: 'message_blocked',
    labels: [expect.objectContaining({ name: 'test' })],
  });
  expect(await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'k', text: gtube })).toMatchObject({
    status: 422,
    body: { code: 'message_blocked' },
  });
  expect(await from.say(room, 'hello', 'k')).toMatchObject({ type: 'ack' });
  await to.until((frame) => frame.type === 'message.created');
  expect(to.texts(room)).toEqual(['hello']);
  expect(await ana.call('PATCH', `/v1/rooms/${room}`, { name: gtube })).toMatchObject({ status: 422 });
  expect(await ana.call('PATCH', '/v1/users/me', { displayName: 'x GTUBE' })).toMatchObject({ status: 200 });
});

test('an edit reaches every reader and keeps the earlier version; repeating it adds no event', async () => {
  const room = await createRoom([ana, ben]);
  const [from, to] = await Promise.all([connect(parley.url, ana), connect(parley.url, ben)]);
  const { messageId } = await from.say(room, 'frist');
  const edited = await from.ask({ type: 'message.edit', roomId: room, messageId, text: 'first' });
  expect(edited.type).toBe('ack');
  expect(await from.ask({ type: 'message.edit', roomId: room, messageId, text: 'first' })).toMatchObject({
    type: 'ack',
    seq: edited.seq,
  });
  const event = await to.until((frame) => frame.type === 'message.updated');
  expect(event).toMatchObject({
    seq: edited.seq,
    data: { message: { id: messageId, text: 'first', editedAt: expect.any(String) } },
  });
  const found = await mustCall(ben, 'GET', `/v1/rooms/${room}/messages/${messageId as string}`);
  expect(found).toMatchObject({ text: 'first', editedAt: expect.any(String) });
  expect((await ben.call('GET', `/v1/rooms/${room}/messages/${messageId as string}/edits`)).body.items).toMatchObject([
    { text: 'frist' },
  ]);
  expect(await to.ask({ type: 'message.edit', roomId: room, messageId, text: 'not mine' })).toMatchObject({
    type: 'error',
    code: 'forbidden',
  });
});

test('a deleted message is a tombstone for every reader, and deleting it again changes nothing', async () => {
  const room = await createRoom([ana, ben]);
  const [from, to] = await Promise.all([connect(parley.url, ana), connect(parley.url, ben)]);
  const { messageId } = await from.say(room, 'a secret');
  await from.ask({ type: 'message.edit', roomId: room, messageId, text: 'another secret' });
  expect(await to.ask({ type: 'message.delete', roomId: room, messageId })).toMatchObject({
    type: 'error',
    code: 'forbidden',
  });
  const gone = await from.ask({ type: 'message.delete', roomId: room, messageId });
  expect(await from.ask({ type: 'message.delete', roomId: room, messageId })).toMatchObject({
    type: 'ack',
    seq: gone.seq,
  });
  await to.until((frame) => frame.type === 'message.deleted' && frame.data!.messageId === messageId);
  const readers = [
    await history(ben, room),
    await mustCall(ben, 'GET', `/v1/rooms/${room}/messages/${messageId as string}`),
    await mustCall(ben, 'GET', `/v1/rooms/${room}/messages/${messageId as string}/edits`),
    await mustCall(ben, 'GET', `/v1/rooms/${room}/events`),
  ];
  for (const answer of readers) expect(JSON.stringify(answer)).not.toContain('secret');
  expect((await history(ben, room)).messages).toMatchObject([
    { id: messageId, text: '', deletedAt: expect.any(String) },
  ]);
});

test('replies name their message, are counted, and form its thread', async () => {
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ana);
  const { messageId: root } = await socket.say(room, 'root');
  await socket.ask({ type: 'message.send', roomId: room, clientId: 'r1', text: 'reply', replyTo: root });
  const thread = (await mustCall(ben, 'GET', `/v1/rooms/${room}/messages/${root as string}/replies`)) as unknown as {
    messages: MessageBody[];
  };
  expect(thread.messages).toMatchObject([{ text: 'reply', replyTo: root }]);
  expect((await mustCall(ben, 'GET', `/v1/rooms/${room}/messages/${root as string}`)).replyCount).toBe(1);
  const other = await createRoom([ana]);
  expect(
    await socket.ask({ type: 'message.send', roomId: other, clientId: 'r2', text: 'x', replyTo: root }),
  ).toMatchObject({ type: 'error', code: 'not_found' });
});

test('pages of history are in seq order in both directions', async () => {
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  for (let n = 1; n <= 30; n++) await socket.say(room, `m${n}`);
  const newest = await history(ana, room, '?limit=10');
  expect([newest.messages.map((each) => each.text), newest.hasMore]).toEqual([
    Array.from({ length: 10 }, (_, i) => `m${i + 21}`),
    true,
  ]);
  const before = await history(ana, room, `?before=${newest.messages[0]!.seq}&limit=15`);
  expect(before.messages.map((each) => each.text)).toEqual(Array.from({ length: 15 }, (_, i) => `m${i + 6}`));
  const after = await history(ana, room, `?after=${before.messages.at(-1)!.seq}&limit=100`);
  expect([after.messages.length, after.hasMore]).toEqual([10, false]);
  const around = await history(ana, room, `?around=${before.messages[7]!.seq}&limit=5`);
  expect(around.messages.map((each) => each.text)).toContain('m13');
  expect(around.messages).toHaveLength(5);
});

test.each([
  ['limit=0'],
  ['limit=101'],
  ['limit=ten'],
  ['before=-1'],
  ['before=1.5'],
  ['before=99999999999999999999'],
  ['before=3&after=2'],
  ['colour=red'],
])('history with %s is refused', async (query) => {
  const room = await createRoom([ana]);
  expect(await ana.call('GET', `/v1/rooms/${room}/messages?${query}`)).toMatchObject({
    status: 400,
    body: { code: 'invalid' },
  });
});

test.each([
  ['an empty text', { text: '' }, 400, 'invalid'],
  ['only spaces', { text: ' \n\t ' }, 400, 'invalid'],
  ['only invisible characters', { text: '\u200b\u200d\u2060' }, 400, 'invalid'],
  ['8,001 characters', { text: 'x'.repeat(8001) }, 413, 'too_large'],
  ['a lone surrogate', { text: 'a\ud800b' }, 400, 'invalid'],
  ['NUL', { text: 'a\0b' }, 400, 'invalid'],
  ['a number for a text', { text: 5 }, 400, 'invalid'],
  ['an unknown field', { text: 'x', colour: 'red' }, 400, 'invalid'],
  ['no clientId', { text: 'x', clientId: undefined }, 400, 'invalid'],
  ['an empty clientId', { text: 'x', clientId: '' }, 400, 'invalid'],
  ['a reply to nothing', { text: 'x', replyTo: '0190b1f0-0000-7000-8000-000000000000' }, 404, 'not_found'],
])('a message with %s is refused and not stored', async (_, draft, status, code) => {
  const room = await createRoom([ana]);
  expect(await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'c', ...draft })).toMatchObject({
    status,
    body: { code },
  });
  const socket = await connect(parley.url, ana);
  const answer = await socket.ask({ type: 'message.send', roomId: room, clientId: 'c', ...draft });
  expect(answer.type).toBe('error');
  expect((await history(ana, room)).messages).toEqual([]);
});

test('outsiders get not_found for rooms and messages that exist', async () => {
  const room = await createRoom([ana, ben]);
  const { id } = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'x', text: 'inside' });
  const socket = await connect(parley.url, eve);
  for (const [method, path, body] of [
    ['GET', `/v1/rooms/${room}`],
    ['GET', `/v1/rooms/${room}/messages`],
    ['GET', `/v1/rooms/${room}/events`],
    ['GET', `/v1/rooms/${room}/members`],
    ['GET', `/v1/rooms/${room}/messages/${id as string}`],
    ['POST', `/v1/rooms/${room}/messages`, { clientId: 'e', text: 'x' }],
    ['PATCH', `/v1/rooms/${room}/messages/${id as string}`, { text: 'x' }],
    ['DELETE', `/v1/rooms/${room}/messages/${id as string}`],
    ['PUT', `/v1/rooms/${room}/read`, { seq: 1 }],
    ['PATCH', `/v1/rooms/${room}`, { name: 'mine' }],
    ['PUT', `/v1/rooms/${room}/members/me`],
  ] as const) {
    expect([path, await eve.call(method, path, body)]).toMatchObject([
      path,
      { status: 404, body: { code: 'not_found' } },
    ]);
  }
  for (const frame of [
    { type: 'message.send', clientId: 'e', text: 'x' },
    { type: 'message.edit', messageId: id, text: 'x' },
    { type: 'message.delete', messageId: id },
    { type: 'read', seq: 1 },
    { type: 'typing', active: true },
    { type: 'room.open' },
  ]) {
    expect(await socket.ask({ ...frame, roomId: room })).toMatchObject({ type: 'error', code: 'not_found' });
  }
});

test('rooms, messages and routes that do not exist are not_found, as a problem document', async () => {
  const answer = await ana.call('GET', '/v1/rooms/0190b1f0-0000-7000-8000-000000000000');
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(answer).toMatchObject({
    status: 404,
    body: {
      code: 'not_found',
      status: 404,
      type: expect.any(String),
      title: expect.any(String),
      detail: expect.any(String),
    },
  });
  expect(await ana.call('GET', '/v1/rooms/not-an-id')).toMatchObject({ status: 400, body: { code: 'invalid' } });
  expect(await callApi(parley.url, 'GET', '/v1/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('a retry of a stored message gets the first answer, even if its author was muted or removed since', async () => {
  const room = await createRoom([ana, ben]);
  const send = (text: string) => ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'before the mute', text });
  const first = await send('said in time');
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}/mute`, { seconds: 60 });
  expect(await send('said in time')).toMatchObject({ status: 200, body: { id: first.body.id, seq: 3 } });
  expect((await send('something else')).status).toBe(409);
  expect(await ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'after', text: 'x' })).toMatchObject({
    status: 403,
    body: { code: 'muted' },
  });
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
  const socket = await connect(parley.url, ben);
  expect(await socket.say(room, 'said in time', 'before the mute')).toMatchObject({ seq: 3, duplicate: true });
  expect(await socket.say(room, 'new')).toMatchObject({ code: 'not_found' });
});

test('a retry by a removed author shows nothing that others added to the message since', async () => {
  const room = await createRoom([ana, ben]);
  const poll = { question: 'Tea?', options: ['Yes', 'No'] };
  const send = () => ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'kept', text: 'tea', poll });
  const { id } = (await send()).body;
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}`);
  const message = `/v1/rooms/${room}/messages/${id as string}`;
  await mustCall(ana, 'PUT', `${message}/reactions/${encodeURIComponent('👍')}`);
  await mustCall(ana, 'PUT', `${message}/vote`, { options: [1] });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'answer', text: 'secret', threadId: id });
  const { status, body } = await send();
  expect(status).toBe(200);
  expect(body).toMatchObject({ id, text: 'tea', duplicate: true, reactions: [], thread: null });
  expect((body.poll as { results: { count: number }[] }).results.map(({ count }) => count)).toEqual([0, 0]);
});

test('an older page counts replies up to the position that it names, not those that come while it is read', async () => {
  const room = await createRoom([ana, ben]);
  const say = async (more: object) =>
    (await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { text: 'text', ...more })).seq as number;
  const target = await say({ clientId: 'target' });
  const [{ id }] = (await history(ben, room)).messages as [MessageBody];
  const last = await say({ clientId: 'reply', replyTo: id });
  const sql = postgres(parley.database.url, { max: 1 });
  const repository = createMessageRepository({
    sql: sql as never,
    profiles: { byIds: async () => new Map() } as never,
    extras: { find: async () => new Map() } as never,
  });
  const range = { from: 1, limit: 10, scope: { threads: 'all' } } as const;
  // The position was `target` when the request came, and the reply is there when its page is read.
  for (const [head, replyCount] of [
    [target, 0],
    [last, 1],
  ] as const) {
    const older = await repository.before(room, { ...range, before: target + 1, head });
    expect(older.messages.map((json) => JSON.parse(json))).toMatchObject([{ id, replyCount }]);
    const newer = await repository.after(room, { ...range, after: target - 1, to: head });
    expect(JSON.parse(newer.messages[0]!)).toMatchObject({ id, replyCount });
  }
  await sql.end();
});
