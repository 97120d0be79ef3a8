/** socket.io with its Redis adapter, set up as in its documentation: one room, one emit per message. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [port = '0', redisUrl = ''] = process.argv.slice(2);
// Other systems are not dependencies of Parley: they are in bench/package.json.
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
  // The crowd does not answer its pings, which are text frames.
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
