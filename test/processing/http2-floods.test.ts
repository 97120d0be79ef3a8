/** What a hostile HTTP/2 client sends at the processing port, frame by frame: its connection ends, and others are served. */
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from './processing-harness.ts';

const path = '/parley.processing.v1.ProcessingService/Check';

/** RFC 9113 §4.1 */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const literal = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
/** RFC 7541: POST, http, and three fields that are not put into the table. */
const fields = Buffer.concat([
  Buffer.from([0x83, 0x86, 0x04]),
  literal(path),
  Buffer.from([0x01]),
  literal('localhost'),
  Buffer.from([0x0f, 0x10]),
  literal('application/json'),
]);
const endHeaders = 0x4;
const start = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
const headers = (stream: number) => frame(1, endHeaders, stream, fields);
const reset = (stream: number) => frame(3, 0, stream, Buffer.from([0, 0, 0, 8]));
const many = (count: number, make: (n: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => make(n)));
const streamOf = (n: number) => 2 * n + 1;

/** Writes all of it, whatever is answered. */
async function flood(url: string, bytes: Buffer): Promise<{ closed: Promise<void> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(start);
  socket.write(bytes);
  return { closed };
}

async function check(url: string): Promise<number> {
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json' });
  stream.end('{"text":"fine"}');
  const status = await new Promise<number>((resolve, reject) => {
    stream.on('response', (answer) => resolve(Number(answer[':status'])));
    stream.on('error', reject);
  });
  stream.resume();
  return status;
}

test.each<[string, Buffer]>([
  ['streams that are reset at once', many(2000, (n) => Buffer.concat([headers(streamOf(n)), reset(streamOf(n))]))],
  [
    'streams that the server has to reset',
    many(2000, (n) => Buffer.concat([headers(streamOf(n)), frame(8, 0, streamOf(n), Buffer.alloc(4))])),
  ],
  ['PING frames', many(2000, () => frame(6, 0, 0, Buffer.alloc(8)))],
  ['SETTINGS frames', many(2000, () => frame(4, 0, 0))],
  [
    'a header that never ends',
    Buffer.concat([frame(1, 0, 1, fields), many(2000, () => frame(9, 0, 1, Buffer.from([0, 1, 97, 1, 97])))]),
  ],
])('a flood of %s ends its connection, starts few calls, and others are served', async (_, bytes) => {
  const { url, refused } = await startServer();
  const { closed } = await flood(url, bytes);
  // Another caller does not wait for the end of the flood.
  expect(await check(url)).toBe(200);
  await closed;
  // Every call that begins and is reset ends as cancelled.
  expect(refused.length).toBeLessThan(300);
  expect(await check(url)).toBe(200);
});

test('occasionally cancelled calls do not end a connection', async () => {
  const { url } = await startServer();
  const session = connectHttp2(url);
  onTestFinished(() => session.destroy());
  for (let n = 0; n < 100; n++) {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json' });
    stream.on('error', () => {});
    stream.close(8);
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  }
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
  expect(session.destroyed).toBe(false);
});
