/** Connections that would hold up a drain: silent ones, unfinished ones, and peers that no longer answer. */
import { connect as connectHttp2 } from 'node:http2';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { holdUser } from '../harness/held-row.ts';
import { openRaw, type RawConnection, rawRequest, statusesIn } from '../harness/raw-connection.ts';
import { startSingle } from '../harness/stack.ts';
import { connect, createRoom, signUp } from '../harness/test-client.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const post =
  'POST /v1/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n';

const opened: { destroy: () => void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
});

async function raw(url: string, ...bytes: (string | Buffer)[]): Promise<RawConnection> {
  const connection = await openRaw(url);
  opened.push(connection);
  for (const each of bytes) connection.write(each);
  return connection;
}

async function http2Call(url: string): Promise<{ isClosed: () => boolean }> {
  const session = connectHttp2(url);
  let isClosed = false;
  session.on('error', () => {});
  opened.push({ destroy: () => session.destroy() });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/parley.processing.v1.ProcessingService/Check',
    'content-type': 'application/json',
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    isClosed = true;
  });
  stream.write('{"text":');
  await new Promise<void>((resolve) => session.once('remoteSettings', () => resolve()));
  return { isClosed: () => isClosed };
}

test('connections without a request are closed at once, while a request that is worked on is answered', async () => {
  const parley = await startSingle({ PARLEY_DRAIN_WINDOW: '100ms' });
  onTestFinished(() => parley.database.drop());
  const { url, processingUrl } = parley;
  const ana = await signUp(url);
  const used = await raw(url, rawRequest('GET', '/health/live'));
  const usedAndBegun = await raw(url, `${rawRequest('GET', '/health/live')}GET /v1`);
  await expect.poll(() => [used, usedAndBegun].map((each) => statusesIn(each.read()))).toEqual([[200], [200]]);
  const frozen = await connect(url, ana);
  frozen.socket.pause();
  opened.push({ destroy: () => frozen.socket.terminate() });
  const connections: Record<string, { isClosed: () => boolean }> = {
    silent: await raw(url),
    'half a request line': await raw(url, 'GET /v1/ro'),
    'half-sent headers': await raw(url, 'GET /v1/rooms HTTP/1.1\r\nhost: loc'),
    'between two requests': used,
    'half-sent headers of a second request': usedAndBegun,
    'half-sent headers of an upgrade': await raw(url, 'GET /v1/ws HTTP/1.1\r\nupgrade: websocket\r\n'),
    'a silent one of the processing port': await raw(processingUrl),
    'half a preface of HTTP/2': await raw(processingUrl, 'PRI * HT'),
    'HTTP/2 that says nothing after its preface': await raw(processingUrl, preface),
    'HTTP/2 without calls': await raw(processingUrl, preface, emptySettings),
    'half-sent headers at the processing port': await raw(processingUrl, 'POST /x HTTP/1.1\r\nhost: l'),
  };
  const held = await holdUser(parley.database, ana.id);
  const answer = ana.call('PATCH', '/v1/users/me', { displayName: 'Ana' });
  await held.waiting(1);
  parley.signal('SIGTERM');
  const left = () =>
    Object.keys(connections).filter(
      (name) => !connections[name]!.isClosed() && !name.includes('rocessing') && !name.includes('HTTP/2'),
    );
  await expect.poll(left).toEqual([]);
  await held.release();
  expect((await answer).status).toBe(200);
  await expect.poll(() => Object.keys(connections).filter((name) => !connections[name]!.isClosed())).toEqual([]);
  await expect.poll(() => parley.exited()).toBe(true);
  expect(parley.output()).toContain('"msg":"stopped"');
});

test('a body that never ends is waited for as long as any request may take, no longer', async () => {
  const parley = await startSingle({
    PARLEY_DRAIN_WINDOW: '100ms',
    PARLEY_HTTP_REQUEST_TIMEOUT: '2s',
    PARLEY_HTTP_HEADERS_TIMEOUT: '2s',
  });
  onTestFinished(() => parley.database.drop());
  const { url, processingUrl } = parley;
  const rest = await raw(url, `${post}\r\n{"login":`);
  const rpc = await raw(
    processingUrl,
    `${post.replace('/v1/auth/login', '/parley.processing.v1.ProcessingService/Check')}\r\n{"text":`,
  );
  const http2 = await http2Call(processingUrl);
  parley.signal('SIGTERM');
  await expect.poll(() => [rest, rpc, http2].map((each) => each.isClosed())).toEqual([true, true, true]);
  await expect.poll(() => parley.exited()).toBe(true);
  expect(parley.output()).toContain('"msg":"stopped"');
  expect([rest, rpc].map((each) => statusesIn(each.read()))).toEqual([[408], [408]]);
});

test('a request whose rest arrives during the drain is answered', async () => {
  const parley = await startSingle({ PARLEY_DRAIN_WINDOW: '200ms' });
  onTestFinished(() => parley.database.drop());
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const whole = rawRequest('POST', `/v1/rooms/${room}/messages`, {
    token: ana.accessToken,
    body: { clientId: 'last', text: 'last words' },
  });
  const connection = await raw(parley.url, whole.slice(0, -10));
  // Its headers have been read when a later connection is answered.
  await expect.poll(async () => (await fetch(`${parley.url}/health/live`)).status).toBe(200);
  parley.signal('SIGTERM');
  await expect.poll(() => parley.output()).toContain('draining');
  connection.write(whole.slice(-10));
  await connection.closed;
  expect(statusesIn(connection.read())).toEqual([201]);
  expect(await parley.stop()).toBe(0);
});
