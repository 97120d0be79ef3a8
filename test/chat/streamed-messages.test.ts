import { request as httpRequest } from 'node:http';
import postgres from 'postgres';
import { beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 60_000 });

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
let fleet: BorrowedFleet;
let sql: postgres.Sql;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 2, onnotice: () => {} });
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here())))) as [TestUser, TestUser];
  return async () => {
    await sql.end();
    await fleet.end();
  };
});

const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];

interface MessageBody {
  id: string;
  seq: number;
  text: string;
  html: string;
  mentions: string[];
  streaming?: true;
  interrupted?: true;
  editedAt: string | null;
  deletedAt: string | null;
}

const messageOf = (frame: Frame) => (frame.data as { message: MessageBody }).message;
const read = async (user: TestUser, room: string, id: string) =>
  (await mustCall(user, 'GET', `/v1/rooms/${room}/messages/${id}`)) as unknown as MessageBody;

let keys = 0;
const start = (socket: TestSocket, roomId: string, clientId = `stream-${keys++}`, more: object = {}) =>
  socket.ask({ type: 'message.stream.start', roomId, clientId, ...more });
const append = (socket: TestSocket, messageId: unknown, offset: number, text: string) =>
  socket.ask({ type: 'message.stream.append', messageId, offset, text });
const finish = (socket: TestSocket, messageId: unknown, text?: string) =>
  socket.ask({ type: 'message.stream.finish', messageId, ...(text === undefined ? {} : { text }) });

/** The text that a reader puts together from deltas; undefined after a gap. */
function assembled({ frames }: TestSocket, messageId: unknown): string | undefined {
  let text: string | undefined = '';
  for (const { type, data } of frames) {
    if (type !== 'message.delta' || data?.messageId !== messageId) continue;
    text = data?.offset === text?.length ? text + (data?.text as string) : undefined;
  }
  return text;
}

const updated = (socket: TestSocket, id: unknown) =>
  socket.until((frame) => frame.type === 'message.updated' && messageOf(frame).id === id);

test('readers on every instance see a message grow, and get it whole at the end', async () => {
  const room = await createRoom([ana, ben]);
  const [writer, reader] = [await connect(here(), ana), await connect(there(), ben)];
  const started = await start(writer, room);
  expect(started).toMatchObject({ type: 'ack', messageId: expect.any(String), seq: expect.any(Number) });
  const created = await reader.until(({ type }) => type === 'message.created');
  expect(created).toMatchObject({ seq: started.seq, data: { message: { text: '', html: '', streaming: true } } });
  const id = started.messageId as string;
  // Not awaited one by one: pieces of a connection keep their order.
  const pieces = ['Once ', 'upon a **time** ', `there was @${ben.username} `, '𝒳 and ', 'more'];
  let offset = 0;
  const acks = pieces.map((text) => {
    const ack = append(writer, id, offset, text);
    offset += text.length;
    return ack;
  });
  expect((await acks.at(-1)!).offset).toBe(offset);
  const whole = pieces.join('');
  // The last word may still grow, so it is not shown before the end.
  await expect.poll(() => assembled(reader, id)).toBe(whole.slice(0, -'more'.length));
  const soFar = await read(ben.at(there()), room, id);
  expect(soFar).toMatchObject({ streaming: true, text: whole.slice(0, -'more'.length), mentions: [], editedAt: null });
  const finished = await finish(writer, id);
  expect(finished).toMatchObject({ type: 'ack', seq: (started.seq as number) + 1 });
  const event = await updated(reader, id);
  expect(event.seq).toBe(finished.seq);
  const final = messageOf(event);
  expect(final).toMatchObject({ text: whole, mentions: [ben.id], editedAt: null });
  expect(final.html).toContain('<strong>time</strong>');
  expect(final).not.toHaveProperty('streaming');
  expect(final).not.toHaveProperty('interrupted');
  const stored = await read(ben.at(there()), room, id);
  expect({ ...stored, replyCount: 0 }).toEqual({ ...final, replyCount: 0 });
  // It was never edited, and a repeated end gets the first answer.
  expect((await mustCall(ana, 'GET', `/v1/rooms/${room}/messages/${id}/edits`)).items).toEqual([]);
  expect(await finish(writer, id)).toMatchObject({ type: 'ack', seq: finished.seq, duplicate: true });
  expect(await append(writer, id, offset, 'x')).toMatchObject({ code: 'conflict', finished: true });
  // Who resumes gets the events as they were.
  const { events } = (await mustCall(
    ben,
    'GET',
    `/v1/rooms/${room}/events?after=${(started.seq as number) - 1}`,
  )) as unknown as {
    events: Frame[];
  };
  expect(events).toEqual([created, event]);
});

test('an edit afterwards is a version of its own, and the event of the end keeps its text', async () => {
  const room = await createRoom([ana]);
  const writer = await connect(here(), ana);
  const { messageId, seq } = await start(writer, room);
  await append(writer, messageId, 0, 'streamed text');
  expect((await ana.call('PATCH', `/v1/rooms/${room}/messages/${messageId}`, { text: 'edited' })).status).toBe(409);
  await finish(writer, messageId);
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}/messages/${messageId}`, { text: 'edited' });
  const { items } = await mustCall(ana, 'GET', `/v1/rooms/${room}/messages/${messageId}/edits`);
  expect(items).toMatchObject([{ version: 0, text: 'streamed text' }]);
  const { events } = (await mustCall(
    ana,
    'GET',
    `/v1/rooms/${room}/events?after=${(seq as number) - 1}`,
  )) as unknown as {
    events: Frame[];
  };
  expect(events.map((event) => [event.type, messageOf(event).text, messageOf(event).editedAt === null])).toEqual([
    ['message.created', '', true],
    ['message.updated', 'streamed text', true],
    ['message.updated', 'edited', false],
  ]);
});

test('a repeated start, piece or end changes nothing, and a wrong offset names the right one', async () => {
  const room = await createRoom([ana]);
  const [one, two] = [await connect(here(), ana), await connect(there(), ana)];
  const first = await start(one, room, 'again');
  expect(await append(one, first.messageId, 0, 'hello ')).toMatchObject({ offset: 6 });
  // The writer lost its connection and goes on at another instance.
  expect(await start(two, room, 'again')).toMatchObject({
    ...{ messageId: first.messageId, seq: first.seq, duplicate: true, offset: 6 },
  });
  expect(await start(two, room, 'again', { threadId: first.messageId })).toMatchObject({ code: 'conflict' });
  expect(await append(two, first.messageId, 0, 'hello ')).toMatchObject({ type: 'ack', offset: 6 });
  expect(await append(two, first.messageId, 3, 'lo wor')).toMatchObject({ type: 'ack', offset: 9 });
  expect(await append(two, first.messageId, 20, 'gap')).toMatchObject({ code: 'conflict', expectedOffset: 9 });
  expect(await append(two, first.messageId, 0, 'other')).toMatchObject({ code: 'conflict', expectedOffset: 9 });
  expect(await append(two, first.messageId, 9, '\ud800')).toMatchObject({ code: 'invalid' });
  expect(await append(two, first.messageId, 9, 'ld')).toMatchObject({ offset: 11 });
  const end = await finish(one, first.messageId);
  expect(await finish(two, first.messageId)).toMatchObject({ seq: end.seq, duplicate: true });
  expect(await read(ana, room, first.messageId as string)).toMatchObject({ text: 'hello world' });
});

test('the end may put another text in place of the pieces', async () => {
  const room = await createRoom([ana]);
  const writer = await connect(here(), ana);
  const { messageId } = await start(writer, room);
  await append(writer, messageId, 0, 'a first try');
  await finish(writer, messageId, 'the final words');
  expect(await read(ana, room, messageId as string)).toMatchObject({ text: 'the final words' });
});

test('a text that is blocked is never shown: the message goes, and its writer learns why', async () => {
  const room = await createRoom([ana, ben]);
  const [writer, reader] = [await connect(here(), ana), await connect(there(), ben)];
  const { messageId } = await start(writer, room);
  await append(writer, messageId, 0, 'kind words first ');
  await expect.poll(() => assembled(reader, messageId)).toBe('kind words first ');
  await append(writer, messageId, 17, `${gtube} and more `);
  const notice = await writer.until(({ type }) => type === 'notice');
  expect(notice).toMatchObject({ code: 'message_blocked', messageId, roomId: room });
  await reader.until(({ type, data }) => type === 'message.deleted' && data?.messageId === messageId);
  expect(await append(writer, messageId, 17, 'x')).toMatchObject({ code: 'message_blocked' });
  // Blocked only by its end.
  const second = await start(writer, room);
  expect(await finish(writer, second.messageId, gtube)).toMatchObject({
    code: 'message_blocked',
    labels: expect.anything(),
  });
  await reader.until(({ type, data }) => type === 'message.deleted' && data?.messageId === second.messageId);
  expect(JSON.stringify(reader.frames)).not.toContain('GTUBE');
  expect(await read(ben, room, second.messageId as string)).toMatchObject({ text: '', deletedAt: expect.any(String) });
  expect(await sql`select 1 from message_streams where room_id = ${room}`).toHaveLength(0);
});

test('a silent writer’s message is finished for it, and one that says that it is there keeps it open', async () => {
  const room = await createRoom([ana, ben]);
  const [silent, reader] = [await connect(here(), ana), await connect(here(), ben)];
  const { messageId: first } = await start(silent, room);
  await append(silent, first, 0, 'and then');
  const event = await updated(reader, first);
  expect(messageOf(event)).toMatchObject({ text: 'and then', interrupted: true, editedAt: null });
  expect(await append(silent, first, 8, 'x')).toMatchObject({ code: 'conflict', finished: true, interrupted: true });
  expect(await finish(silent, first)).toMatchObject({ code: 'conflict', interrupted: true });
  // A message without a text says nothing: it goes.
  const { messageId: empty } = await start(silent, room);
  await reader.until(({ type, data }) => type === 'message.deleted' && data?.messageId === empty);
  // A writer that only says that it is there keeps its message open.
  const { messageId: slow } = await start(silent, room);
  for (let at = 0; at < 8; at++) {
    await append(silent, slow, 0, '');
    await new Promise((wake) => setTimeout(wake, 600));
  }
  await append(silent, slow, 0, 'late');
  expect(await finish(silent, slow)).toMatchObject({ type: 'ack' });
});

test('a writer who loses the right to write ends with what readers have seen', async () => {
  const room = await createRoom([ben, ana]);
  const [writer, reader] = [await connect(here(), ana), await connect(there(), ben)];
  const { messageId } = await start(writer, room);
  await append(writer, messageId, 0, 'seen words unseen');
  await expect.poll(() => assembled(reader, messageId)).toBe('seen words ');
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/${ana.id}/mute`, { seconds: 600 });
  expect(await append(writer, messageId, 17, ' more')).toMatchObject({ code: 'muted' });
  expect(messageOf(await updated(reader, messageId))).toMatchObject({ text: 'seen words ', interrupted: true });
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/${ana.id}/mute`);
  const second = await start(writer, room);
  await append(writer, second.messageId, 0, 'once more unseen');
  await expect.poll(() => assembled(reader, second.messageId)).toBe('once more ');
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/${ana.id}`);
  expect(await append(writer, second.messageId, 16, ' x')).toMatchObject({ code: 'not_found' });
  expect(messageOf(await updated(reader, second.messageId))).toMatchObject({ text: 'once more ', interrupted: true });
});

test('a message that is deleted while it is written stays deleted', async () => {
  const room = await createRoom([ben, ana]);
  const [writer, reader] = [await connect(here(), ana), await connect(there(), ben)];
  const { messageId } = await start(writer, room);
  await append(writer, messageId, 0, 'soon gone ');
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/messages/${messageId}`);
  expect(await append(writer, messageId, 10, 'x')).toMatchObject({ code: 'not_found' });
  expect(await finish(writer, messageId)).toMatchObject({ code: 'not_found' });
  await mustCall(ben, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'marker', text: 'marker' });
  await reader.until((frame) => frame.type === 'message.created' && messageOf(frame).text === 'marker');
  expect(reader.events(room).map(({ type }) => type)).not.toContain('message.updated');
  const gone = await createRoom([ben, ana]);
  const { messageId: inRoom } = await start(writer, gone);
  await mustCall(ben, 'DELETE', `/v1/rooms/${gone}`);
  expect(await append(writer, inRoom, 0, 'x')).toMatchObject({ code: 'not_found' });
  await expect.poll(() => sql`select 1 from message_streams where room_id = ${gone}`).toHaveLength(0);
});

test('streams are bounded in number and length, and belong to their writer', async () => {
  const cyd = await signUp(here());
  const rooms = await Promise.all([1, 2, 3].map(() => createRoom([cyd, ben])));
  const [one, two, other] = [await connect(here(), cyd), await connect(there(), cyd), await connect(here(), ben)];
  const starts = await Promise.all(Array.from({ length: 9 }, (_, at) => start(at % 2 ? one : two, rooms[at % 3]!)));
  const open = starts.filter(({ type }) => type === 'ack');
  expect(open).toHaveLength(5);
  expect(starts.filter(({ code }) => code === 'conflict')).toHaveLength(4);
  const [id] = open.map(({ messageId }) => messageId);
  expect(await append(other, id, 0, 'x')).toMatchObject({ code: 'not_found' });
  expect(await finish(other, id)).toMatchObject({ code: 'not_found' });
  expect(await append(one, id, 0, 'x'.repeat(8001))).toMatchObject({ code: 'too_large' });
  expect(await append(one, id, 0, 'x'.repeat(8000))).toMatchObject({ offset: 8000 });
  expect(await append(one, id, 8000, 'x')).toMatchObject({ code: 'too_large' });
  expect(await finish(one, id, ' ')).toMatchObject({ code: 'invalid' });
});

test('over REST the pieces are the body of one request, and a broken request can be repeated', async () => {
  const room = await createRoom([ana, ben]);
  const reader = await connect(there(), ben);
  const headers = (type: string) => ({ authorization: `Bearer ${ana.accessToken}`, 'content-type': type });
  const path = (key: string) => `${here()}/v1/rooms/${room}/messages/stream?clientId=${key}`;
  // An event stream, cut off after its first words.
  const cut = httpRequest(path('broken'), { method: 'POST', headers: headers('text/event-stream') });
  cut.on('error', () => {});
  cut.write('data: {"text":"first "}\n\ndata: {"text":"words "}\n\n');
  const created = await reader.until(({ type }) => type === 'message.created');
  const { id } = messageOf(created);
  await expect.poll(() => assembled(reader, id)).toBe('first words ');
  cut.destroy();
  const body = 'data: {"text":"first words and "}\n\ndata: {"text":"the rest"}\n\ndata: [DONE]\n\n';
  const answer = await fetch(path('broken'), { method: 'POST', headers: headers('text/event-stream'), body });
  expect([answer.status, await answer.json()]).toEqual([
    200,
    expect.objectContaining({ id, text: 'first words and the rest', editedAt: null }),
  ]);
  expect(assembled(reader, id)).not.toBeUndefined();
  const lines = '{"text":"one "}\n{"text":"two"}\n';
  const plain = await fetch(path('lines'), { method: 'POST', headers: headers('application/x-ndjson'), body: lines });
  expect(await plain.json()).toMatchObject({ text: 'one two' });
  const repeated = await fetch(path('lines'), {
    method: 'POST',
    headers: headers('application/x-ndjson'),
    body: lines,
  });
  expect([repeated.status, await repeated.json()]).toEqual([
    200,
    expect.objectContaining({ text: 'one two', duplicate: true }),
  ]);
  const json = await ana.call('POST', `/v1/rooms/${room}/messages/stream?clientId=json`, { text: 'x' });
  expect(json.status).toBe(415);
  const wrong = await fetch(path('wrong'), {
    method: 'POST',
    headers: headers('application/x-ndjson'),
    body: 'hello\n',
  });
  expect(wrong.status).toBe(400);
});

test('a login that ends while the body goes on writes no further', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd, ben]);
  const headers = { authorization: `Bearer ${cyd.accessToken}`, 'content-type': 'application/x-ndjson' };
  const path = `${here()}/v1/rooms/${room}/messages/stream?clientId=ends`;
  const request = httpRequest(path, { method: 'POST', headers });
  const answered = new Promise<number>((resolve, reject) => {
    request.on('response', ({ statusCode }) => resolve(statusCode!));
    request.on('error', reject);
  });
  const reader = await connect(there(), ben);
  request.write('{"text":"words before "}\n');
  const { id } = messageOf(await reader.until(({ type }) => type === 'message.created'));
  await expect.poll(() => assembled(reader, id)).toBe('words before ');
  await mustCall(cyd, 'POST', '/v1/auth/logout');
  // Pieces until the login is checked again.
  const writing = setInterval(() => request.write('{"text":""}\n{"text":"after "}\n'), 100);
  expect(await answered).toBe(401);
  clearInterval(writing);
  request.destroy();
  await reader.close();
});
