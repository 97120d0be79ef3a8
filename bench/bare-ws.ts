/**
 * The baselines for fan-out: `ws` alone, without rooms, users or a store. IPC tells them to broadcast. `perMessage` writes each
 * pre-framed message to each socket separately; `perTurn` gathers the messages of one tick and writes once to each socket.
 */
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';

const [port = '0', mode = 'perMessage', roomCount = '1', turn = '16'] = process.argv.slice(2);
const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false });
const rooms = Array.from({ length: Number(roomCount) }, () => new Set<Socket>());
let count = 0;

server.on('connection', (socket, request) => {
  const room = rooms[count++ % rooms.length]!;
  room.add(request.socket);
  socket.on('close', () => room.delete(request.socket));
});

function frame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 255]);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** Messages per tick of the event loop, as in a busy room. */
const perTurn = Number(turn);

process.on('message', ({ text, count: total }: { text: string; count: number }) => {
  const bytes = frame(text);
  const batch = Buffer.concat(Array.from({ length: perTurn }, () => bytes));
  let sent = 0;
  const turn = (): void => {
    const isBatched = mode === 'perTurn';
    for (const room of rooms) for (const socket of room) socket.write(isBatched ? batch : bytes);
    sent += isBatched ? perTurn : 1;
    if (sent < total) setImmediate(turn);
  };
  turn();
});
process.on('disconnect', () => process.exit(0));
server.on('listening', () => process.send!('listening'));
