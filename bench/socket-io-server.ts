/** socket.io with its Redis adapter, as its documentation sets it up: one room, one emit for each message. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [port = '0', redisUrl = ''] = process.argv.slice(2);
// The peers are no dependencies of Parley: they live in bench/package.json.
const require = createRequire(new URL('./package.json', import.meta.url));
const { Server } = require('socket.io') as {
  Server: new (
    server: unknown,
    options: unknown,
  ) => {
    on: (event: string, listener: (socket: { join: (room: string) => void }) => void) => void;
    to: (room: string) => { emit: (event: string, data: unknown) => void };
  };
};
const { createAdapter } = require('@socket.io/redis-adapter') as {
  createAdapter: (publisher: unknown, subscriber: unknown) => unknown;
};
const { Redis } = require('ioredis') as { Redis: new (url: string) => { duplicate: () => unknown } };

const publisher = new Redis(redisUrl);
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  // The crowd answers no pings of its, which are text like any other.
  pingInterval: 3_600_000,
  adapter: createAdapter(publisher, publisher.duplicate()),
});
io.on('connection', (socket) => socket.join('room'));

process.on('message', ({ text, count }: { text: string; count: number }) => {
  let sent = 0;
  const turn = (): void => {
    io.to('room').emit('message', text);
    sent += 1;
    if (sent < count) setImmediate(turn);
  };
  turn();
});
process.on('disconnect', () => process.exit(0));
http.listen(Number(port), '127.0.0.1', () => process.send!('listening'));
