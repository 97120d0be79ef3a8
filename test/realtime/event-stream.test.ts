/** Server-Sent Events, where WebSockets are blocked: the same frames and guarantees, also behind a proxy that gathers bytes. */
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createParleyClient, type ParleyClient } from '../../src/client/index.ts';
import { BlockedWebSocket } from '../harness/blocked-web-socket.ts';
import { startNginx } from '../harness/nginx.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(parley.url)))) as [TestUser, TestUser];
});

interface Frame {
  readonly type: string;
  readonly seq?: number;
  readonly roomId?: string;
  readonly code?: number;
}

/** Reads a stream as EventSource does: its frames, and the id that it would come back with. */
async function openStream(token: string, lastEventId?: string) {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await fetch(`${parley.url}/v1/sse`, {
    headers: { authorization: `Bearer ${token}`, ...(lastEventId ? { 'last-event-id': lastEventId } : {}) },
    signal: abort.signal,
  });
  const stream = { response, frames: [] as Frame[], id: '', ended: false, stop: () => abort.abort() };
  const read = async () => {
    let rest = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop()!;
      for (const line of blocks.flatMap((block) => block.split('\n'))) {
        if (line.startsWith('id: ')) stream.id = line.slice(4);
        if (line.startsWith('data: ')) stream.frames.push(JSON.parse(line.slice(6)) as Frame);
      }
    }
    stream.ended = true;
  };
  read().catch(() => {});
  return stream;
}

const post = (user: TestUser, room: string, text: string) =>
  mustCall(user, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });

test('a stream begins with the welcome, goes on with live events, and resumes after the last event that it told', async () => {
  const roomId = await createRoom([ana, ben]);
  const stream = await openStream(ana.accessToken);
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream');
  expect(stream.response.headers.get('x-accel-buffering')).toBe('no');
  await expect.poll(() => stream.frames[0]?.type).toBe('welcome');
  await post(ben, roomId, 'live');
  await expect.poll(() => stream.frames.at(-1)?.type).toBe('message.created');
  const { seq } = stream.frames.at(-1)!;
  await expect.poll(() => stream.id).not.toBe('');
  stream.stop();
  await post(ben, roomId, 'missed');
  const again = await openStream(ana.accessToken, stream.id);
  const seqs = () => again.frames.filter((frame) => frame.roomId === roomId && frame.seq).map((frame) => frame.seq!);
  await expect.poll(() => seqs().at(-1)).toBe(seq! + 1);
  // Nothing is left out; an event after the id may come again.
  expect(seqs()[0]).toBeLessThanOrEqual(seq! + 1);
  await expect.poll(() => again.frames.some(({ type }) => type === 'resumed')).toBe(true);
});

test('without a login there is no stream, and one ends with its session', async () => {
  expect((await fetch(`${parley.url}/v1/sse`)).status).toBe(401);
  const person = await signUp(parley.url);
  const stream = await openStream(person.accessToken);
  await expect.poll(() => stream.frames[0]?.type).toBe('welcome');
  await callApi(parley.url, 'POST', '/v1/auth/logout', undefined, { authorization: `Bearer ${person.accessToken}` });
  await expect.poll(() => stream.ended).toBe(true);
  expect(stream.frames.at(-1)).toMatchObject({ code: 4003 });
});

function startClient(url: string): ParleyClient {
  const client = createParleyClient({ url, token: async () => ana.accessToken, WebSocket: BlockedWebSocket });
  onTestFinished(() => client.close());
  return client;
}

test('a client whose WebSockets are blocked uses the stream, sends over REST, and refuses as over a socket', async () => {
  const roomId = await createRoom([ana, ben]);
  const room = startClient(parley.url).room(roomId);
  const client = startClient(parley.url);
  const { messages } = client.room(roomId);
  onTestFinished(messages.subscribe(() => {}));
  await expect.poll(() => client.connection.get()).toEqual({ status: 'online', transport: 'sse' });
  await post(ben, roomId, 'to the stream');
  await expect.poll(() => messages.get().items.map(({ text }) => text)).toEqual(['to the stream']);
  const { messageId } = await client.room(roomId).send('from the stream');
  await client.room(roomId).edit(messageId, 'edited');
  await expect
    .poll(() => messages.get().items.map(({ text, status }) => `${text} ${status}`))
    .toEqual(['to the stream sent', 'edited sent']);
  await client.room(roomId).markRead();
  await expect(client.room(roomId).edit(messageId.replace(/.$/, '0'), 'x')).rejects.toMatchObject({
    code: 'not_found',
  });
  await room.messages.load();
});

test('behind an nginx that gathers bytes and heeds no header the client asks for padding, and gets each event', async () => {
  const roomId = await createRoom([ana, ben]);
  const nginx = await startNginx(`location / {
    proxy_pass ${parley.url};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_buffering on;
    proxy_ignore_headers X-Accel-Buffering;
  }`);
  onTestFinished(() => nginx.stop());
  const client = startClient(nginx.url);
  const { messages } = client.room(roomId);
  onTestFinished(messages.subscribe(() => {}));
  await expect.poll(() => client.connection.get().status).toBe('online');
  for (const text of ['one', 'two', 'three']) {
    await post(ben, roomId, text);
    await expect.poll(() => messages.get().items.at(-1)?.text).toBe(text);
  }
});
