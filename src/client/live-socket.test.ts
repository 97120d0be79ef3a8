import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createLiveSocket } from './live-socket.ts';

const event = (seq: number) => ({ type: 'message.created', roomId: 'r', seq, at: '', data: {} });

test('events that come in one packet with the welcome follow it, each once', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  let connections = 0;
  server.on('connection', (socket, { socket: tcp }) => {
    connections += 1;
    socket.on('message', (bytes) => {
      const { type, id } = JSON.parse(String(bytes)) as { type: string; id: string };
      if (type !== 'hello') return;
      const rooms = [{ id: 'r', seq: 5, readableFrom: 1 }];
      tcp.cork();
      for (const frame of [{ type: 'welcome', id, logId: 'l', user: {}, heartbeatMs: 20_000, rooms }, event(6)])
        socket.send(JSON.stringify(frame));
      tcp.uncork();
      setTimeout(() => socket.send(JSON.stringify(event(7))), 50);
    });
  });
  const told: string[] = [];
  const client = createLiveSocket({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: async () => 'token',
    renew: async () => 'token',
    listener: {
      onState: () => {},
      onWelcome: ({ rooms }) => told.push(`welcome to ${rooms[0]!.seq}`),
      onEvent: ({ seq }) => told.push(`event ${seq}`),
      onReset: (_roomId, seq) => told.push(`reset to ${seq}`),
      onSignal: () => {},
      onEnd: () => {},
    },
  });
  onTestFinished(client.stop);
  client.start();
  await expect.poll(() => told.at(-1)).toBe('event 7');
  expect(told).toEqual(['welcome to 5', 'event 6', 'event 7']);
  expect(connections).toBe(1);
});
