/**
 * Parley's fan-out alone: the real hub and connections, fed with committed events as they come from another instance. Authentication and
 * store are left out, so that it compares with bare `ws`.
 */
import pino from 'pino';
import { Registry } from 'prom-client';
import { WebSocketServer } from 'ws';
import { createLocalHints } from '../src/realtime/cluster/hints.ts';
import type { FeedState } from '../src/realtime/feed/feed.ts';
import { createHub } from '../src/realtime/feed/hub.ts';
import { Connection } from '../src/realtime/socket/connection.ts';
import { createChatMetrics } from '../src/roles/wiring/chat-metrics.ts';

const [port = '0', roomCount = '1', turnSize = '16'] = process.argv.slice(2);
const rooms = Array.from({ length: Number(roomCount) }, (_, at) => `room-${at}`);
const state: FeedState = {
  apply: () => undefined,
  isMember: () => true,
  isPublic: () => false,
  readableFrom: () => 1,
  hidesEarlier: () => false,
  joinedSeq: () => 1,
  weight: () => 0,
};
const positions = new Map(rooms.map((room) => [room, 0]));

const hub = createHub<FeedState>({
  log: {
    load: async (roomId) => ({ position: positions.get(roomId)!, state }),
    read: async () => [],
    heads: async () => positions,
  },
  hints: createLocalHints(),
  onRevocationHint: () => {},
  onMissing: () => {},
  membership: { joined: async () => undefined, left: () => '' },
  metrics: createChatMetrics(new Registry()).hub,
  logger: pino({ level: 'silent' }),
  settings: {
    headCheck: 60_000,
    deliverySlice: 1000,
    roomsCached: 20_000,
    membersCached: 500_000,
    recentEvents: 256,
    recentBytes: 262_144,
    recentBytesTotal: 268_435_456,
    replayPageEvents: 500,
    resumeMaxEvents: 5000,
  },
});
const host = {
  bounds: { queueBytes: 268_435_456, queueEvents: 10_000_000 },
  touch: hub.flushScheduler.touch,
  onClose: () => {},
  onDrop: () => {},
};
const server = new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false });
let count = 0;

server.on('connection', (socket, request) => {
  const connection = new Connection(socket, request.socket, host, performance.now());
  const user = count++;
  connection.user = { userId: `user-${user}`, sessionId: undefined, role: 'user', expiresAt: Number.POSITIVE_INFINITY };
  socket.on('close', () => hub.removeConnection(connection));
  hub.addConnection(connection);
  connection.goLive();
  hub.followEarlyJoins(connection);
  const room = rooms[user % rooms.length]!;
  void hub.attach(connection, room, positions.get(room)!, 'member').then(() => connection.send({ type: 'welcome' }));
});

/** Events per tick, as many as a group commit holds. */
const perTurn = Number(turnSize);

process.on('message', ({ text, count: total }: { text: string; count: number }) => {
  let sent = 0;
  const turn = (): void => {
    for (const room of rooms) {
      const from = positions.get(room)!;
      const events = Array.from({ length: perTurn }, (_, at) => ({
        seq: from + at + 1,
        json: `{"type":"message.created","seq":${from + at + 1},"data":"${text}"}`,
      }));
      positions.set(room, from + perTurn);
      hub.take(room, events);
    }
    sent += perTurn;
    if (sent < total) setImmediate(turn);
  };
  turn();
});
process.on('disconnect', () => process.exit(0));
server.on('listening', () => process.send!('listening'));
