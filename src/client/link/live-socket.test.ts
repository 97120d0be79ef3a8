import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { LiveSocket, type SocketListener } from './live-socket.ts';
import { webSockets } from './transport.ts';

const event = (seq: number) => ({ type: 'message.created', roomId: 'r', seq, at: '', data: {} });

/** A server that answers each hello with a welcome. @returns where it is, and its connections so far */
async function startServer(onWelcomed: (socket: WebSocket) => void = () => {}) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const connections: WebSocket[] = [];
  const frames: { type: string; id: string; resume?: unknown }[] = [];
  server.on('connection', (socket, { socket: tcp }) => {
    connections.push(socket);
    socket.on('message', (bytes) => {
      const frame = JSON.parse(String(bytes)) as { type: string; id: string };
      frames.push(frame);
      if (frame.type !== 'hello') return;
      const rooms = [{ id: 'r', seq: 5, readableFrom: 1 }];
      // No heartbeat comes while a test runs.
      const welcome = { type: 'welcome', id: frame.id, logId: 'l', user: {}, heartbeatMs: 600_000, rooms };
      tcp.cork();
      socket.send(JSON.stringify(welcome));
      onWelcomed(socket);
      tcp.uncork();
    });
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, connections, frames };
}

/** A client of the server, and what it told its listener. */
function startClient(url: string, token: () => Promise<string> = async () => 'token') {
  const told: string[] = [];
  const listener: SocketListener = {
    onState: ({ name }) => told.push(name),
    onWelcome: ({ rooms }) => told.push(`welcome to ${rooms[0]!.seq}`),
    onEvent: ({ seq }) => told.push(`event ${seq}`),
    onReset: (_roomId, seq) => told.push(`reset to ${seq}`),
    onSignal: () => {},
    onEnd: () => told.push('end'),
  };
  const client = new LiveSocket({
    open: webSockets(url, undefined)!,
    token,
    renew: token,
    explain: async () => undefined,
    listener,
  });
  onTestFinished(() => client.stop());
  client.start();
  return { client, told };
}

test('events in one packet with the welcome follow it, each once', async () => {
  const { url, connections } = await startServer((socket) => {
    socket.send(JSON.stringify(event(6)));
    setTimeout(() => socket.send(JSON.stringify(event(7))), 50);
  });
  const { told } = startClient(url);
  await expect.poll(() => told.at(-1)).toBe('event 7');
  expect(told).toEqual(['connecting', 'welcome to 5', 'live', 'event 6', 'event 7']);
  expect(connections).toHaveLength(1);
});

test('a gap in the events is never passed on: the client resumes from before it', async () => {
  const { url, frames } = await startServer((socket) => {
    if (frames.length === 1) for (const seq of [6, 8]) socket.send(JSON.stringify(event(seq)));
  });
  const { told } = startClient(url);
  await expect.poll(() => frames.length).toBe(2);
  expect(told).not.toContain('event 8');
  expect(frames[1]!.resume).toEqual({ logId: 'l', rooms: { r: 6 } });
});

test('after the device woke up a connection that does not answer is replaced, and one that answers is kept', async () => {
  const { url, connections, frames } = await startServer();
  const { client, told } = startClient(url);
  await expect.poll(() => told.at(-1)).toBe('live');
  client.wake();
  // The server leaves the ping without an answer, as a connection does that the network has forgotten.
  await expect.poll(() => connections.length, { timeout: 10_000 }).toBe(2);
  await expect.poll(() => told.at(-1)).toBe('live');
  connections[1]!.on('message', (bytes) => {
    const { type, id } = JSON.parse(String(bytes)) as { type: string; id: string };
    if (type === 'ping') connections[1]!.send(JSON.stringify({ type: 'ack', id }));
  });
  client.wake();
  await client.ask({ type: 'ping' });
  expect(frames.filter(({ type }) => type === 'ping')).toHaveLength(3);
  expect(client.state.name).toBe('live');
  expect(connections).toHaveLength(2);
});

test('after the device woke up an attempt that has no answer for a while is made again', async () => {
  const { url, connections } = await startServer();
  let held = 0;
  // The first connection leads nowhere; the others are passed on.
  const proxy = createServer((client) => {
    held += 1;
    if (held === 1) return;
    const upstream = connect(Number(new URL(url).port), '127.0.0.1');
    client.pipe(upstream).pipe(client);
    for (const each of [client, upstream]) each.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => void proxy.close());
  const { client, told } = startClient(`ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  await expect.poll(() => held).toBe(1);
  client.wake();
  expect(client.state.name).toBe('connecting');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
  onTestFinished(() => void vi.useRealTimers());
  client.wake();
  await expect.poll(() => told.at(-1)).toBe('live');
  expect(connections).toHaveLength(1);
});

test('after the device woke up the next attempt is made at once', async () => {
  const { url, connections } = await startServer();
  const { client, told } = startClient(url);
  await expect.poll(() => told.at(-1)).toBe('live');
  // The server asks for a longer pause than any test takes.
  connections[0]!.send(JSON.stringify({ type: 'notice', code: 'draining', retryAfterMs: 600_000 }));
  connections[0]!.close(1012);
  await expect.poll(() => client.state.name).toBe('waiting');
  client.wake();
  await expect.poll(() => told.at(-1)).toBe('live');
});

test('an attempt that was stopped opens no connection once its token comes', async () => {
  const { url, connections } = await startServer();
  const { promise: token, resolve } = Promise.withResolvers<string>();
  const { client, told } = startClient(url, () => token);
  client.stop();
  client.start();
  resolve('token');
  await expect.poll(() => told.at(-1)).toBe('live');
  expect(connections).toHaveLength(1);
});

test('events and frames of a newer server keep their place, and say nothing to a client that does not know them', async () => {
  const { url, connections } = await startServer((socket) => {
    socket.send(
      JSON.stringify({ type: 'message.translated', roomId: 'r', seq: 6, at: '', data: { more: [1] }, extra: 1 }),
    );
    socket.send(JSON.stringify({ type: 'weather', data: 'fine' }));
    socket.send(JSON.stringify(event(7)));
  });
  const { client, told } = startClient(url);
  await expect.poll(() => told.at(-1)).toBe('event 7');
  expect(told).toEqual(['connecting', 'welcome to 5', 'live', 'event 6', 'event 7']);
  expect(connections).toHaveLength(1);
  expect(client.state.name).toBe('live');
});
