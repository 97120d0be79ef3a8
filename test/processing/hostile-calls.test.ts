/** The processing port under callers that no library would make. */
import { connect as connectHttp2, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { expect, onTestFinished, test } from 'vitest';
import { ProcessingService } from '../../src/gen/parley/processing/v1/processing_pb.ts';
import type { TextEngine } from '../../src/processing/engine/text-task.ts';
import { startScriptedEngine, startServer } from './processing-harness.ts';

const path = '/parley.processing.v1.ProcessingService';
const grpcHeaders = { 'content-type': 'application/grpc+proto', te: 'trailers' };

/** One length-delimited protobuf field of less than 128 bytes, or of `length` bytes by its varint. */
function field(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

/** A gRPC message, which may say of itself that it is packed, or longer than it is. */
function envelope(message: Uint8Array, { packed = false, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = packed ? 1 : 0;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

async function callRaw(url: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}) {
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': `${path}/Process`, ...grpcHeaders, ...headers });
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; message: string }>();
  let first: IncomingHttpHeaders = {};
  let last: IncomingHttpHeaders = {};
  stream.on('response', (each) => {
    first = each;
  });
  stream.on('trailers', (each) => {
    last = each;
  });
  stream.on('error', reject);
  stream.on('end', () => {
    const { 'grpc-status': status, 'grpc-message': message = '' } = { ...first, ...last };
    resolve({ status: Number(status), message: decodeURIComponent(String(message)) });
  });
  stream.resume();
  stream.end(body);
  return promise;
}

test.each([
  ['bytes that are no UTF-8', Buffer.from([0x61, 0xff, 0xfe])],
  ['half a surrogate pair', Buffer.from([0xed, 0xa0, 0x80])],
  ['a character in too many bytes', Buffer.from([0xc0, 0xaf])],
])('%s are refused with the name of the field', async (_, bytes) => {
  const { url } = await startServer();
  const message = Buffer.concat([field(1, Buffer.from('fine')), field(3, bytes)]);
  expect(await callRaw(url, envelope(field(1, bytes)))).toEqual({ status: 3, message: 'text is no UTF-8' });
  expect(await callRaw(url, envelope(message))).toEqual({ status: 3, message: 'room_id is no UTF-8' });
  const binary = await fetch(`${url}${path}/Process`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto' },
    body: new Uint8Array(field(1, bytes)),
  });
  expect([binary.status, await binary.json()]).toEqual([
    400,
    { code: 'invalid_argument', message: 'text is no UTF-8' },
  ]);
});

test('half a surrogate pair in JSON is refused, NUL is an ordinary character', async () => {
  const { url } = await startServer();
  const post = (body: string) =>
    fetch(`${url}${path}/Process`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect((await post('{"text":"a\\ud800"}')).status).toBe(400);
  expect((await post('{"text":"a\\u0000b"}')).status).toBe(200);
});

test('a message over the size limit is refused, whether it declares its size or decompresses to it', async () => {
  const { url } = await startServer();
  const bomb = gzipSync(field(1, Buffer.alloc(100 * 1024 * 1024, 0x61)));
  expect((await callRaw(url, envelope(Buffer.from('abc'), { length: 0xffff_ffff }))).status).toBe(8);
  expect((await callRaw(url, envelope(bomb, { packed: true }), { 'grpc-encoding': 'gzip' })).status).toBe(8);
  expect((await callRaw(url, envelope(Buffer.from('abc'), { length: 10 }))).status).toBe(3);
});

test('an unknown content type, method or deadline has its own answer', async () => {
  const { url } = await startServer();
  const call = (init: RequestInit) => fetch(`${url}${path}/Process`, init).then(({ status }) => status);
  const json = (timeout: string) =>
    call({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-timeout-ms': timeout },
      body: '{"text":"x"}',
    });
  expect(await call({ method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' })).toBe(415);
  expect(await call({ method: 'GET' })).toBe(405);
  expect([await json('-1'), await json('soon'), await json('0'), await json('1000')]).toEqual([400, 400, 504, 200]);
});

test('requests of a client that does not read its answers are not read', async () => {
  let judged = 0;
  const engine: TextEngine = {
    judge: async (tasks) => {
      judged += tasks.length;
      // An answer that fills what the connection takes unread.
      const html = 'x'.repeat(200_000);
      return tasks.map(() => ({ outcome: 'allow', spamScore: 0, labels: [], html, links: [], mentions: [] }));
    },
    version: () => 'long',
  };
  const { url } = await startServer({ engine });
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': `${path}/ProcessStream`, ...grpcHeaders });
  stream.on('error', () => {});
  stream.pause();
  const request = envelope(field(2, field(1, Buffer.from('x')))); // one item with the text "x"
  for (let sent = 0; sent < 300; sent++) stream.write(request);
  await expect.poll(() => judged).toBeGreaterThan(5);
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  // Others are served; meanwhile the one who does not read gets no further than its share.
  for (let call = 0; call < 20; call++) await client.check({ text: 'x' });
  const atFirst = judged;
  for (let call = 0; call < 20; call++) await client.check({ text: 'x' });
  expect(judged).toBe(atFirst + 20);
  expect(judged).toBeLessThan(100);
  // Once it reads, it gets the rest.
  stream.resume();
  await expect.poll(() => judged).toBe(340);
});

test('a connection whose client is silent is closed', async () => {
  const { url } = await startServer({ settings: { pingEveryMs: 100 } });
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  const closed = new Promise<boolean>((resolve) => socket.on('close', () => resolve(true)));
  socket.on('error', () => {});
  socket.resume();
  // The preface and empty settings: a fine beginning, and then not a word, not even to a PING.
  socket.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
  );
  expect(await closed).toBe(true);
});

test('cancelling a stream or call drops its waiting work', async () => {
  const engine = await startScriptedEngine({ spares: 0, itemTimeoutMs: 2000, batchMax: 4 });
  const { url } = await startServer({ engine });
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  const busy = client.process({ text: 'pause 400' });
  await expect.poll(() => engine.stats().given).toBe(1);
  const controller = new AbortController();
  const given = client.processBatch({ items: Array(500).fill({ text: 'x' }) }, { signal: controller.signal });
  const refused = expect(given).rejects.toMatchObject({ code: Code.Canceled });
  await expect.poll(() => engine.stats().waiting).toBeGreaterThan(400);
  controller.abort();
  await refused;
  await expect.poll(() => engine.stats().waiting).toBe(0);
  expect((await busy).verdict).toBe(1);
});

test('the port still serves after thousands of calls are reset at once', async () => {
  const { url } = await startServer();
  const session = connectHttp2(url);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  for (let opened = 0; opened < 3000 && !session.destroyed; opened++) {
    const stream = session.request({ ':method': 'POST', ':path': `${path}/Process`, ...grpcHeaders });
    stream.on('error', () => {});
    stream.close(8);
    if (opened % 50 === 0) await new Promise((next) => setImmediate(next));
  }
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  expect((await client.check({ text: 'x' }, { timeoutMs: 2000 })).verdict).toBe(1);
});
