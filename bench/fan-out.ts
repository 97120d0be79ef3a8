/** Deliveries to the members of one room: Parley, store and moderation and all, beside bare `ws` that only writes. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startCrowd } from './crowd-control.ts';
import { cpuSeconds, type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { natsHello, natsWelcomeFrames, startNats } from './nats.ts';
import { startParleyServer, startRedis, startScript } from './systems.ts';
import { startTown } from './town.ts';

interface Fed {
  readonly what: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly path?: string;
  readonly hello?: string;
  readonly welcomeFrames?: number;
}

/** A server that is told over IPC to send `count` messages to all who are connected. */
async function fed(
  { what, script, args = [], path = '/', hello = '', welcomeFrames = 0 }: Fed,
  members: number,
  count: number,
  text: string,
): Promise<Row> {
  const { port, child: server, stop } = await startScript(script, args);
  const crowd = startCrowd();
  await crowd.order({ do: 'open', port, path, hellos: Array(members).fill(hello), welcomeFrames });
  const reached = crowd.order({ do: 'expect', framesEach: count });
  const [cpu, startedMs] = [cpuSeconds(server.pid!), performance.now()];
  server.send({ text, count });
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.pid!) - cpu;
  await crowd.stop();
  await stop();
  const deliveries = members * count;
  return { what, rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6 };
}

const perMessage: Fed = {
  what: 'bare ws, pre-framed, one write per message',
  script: './bare-ws.ts',
  args: ['perMessage'],
};

/** @param turn messages of one turn of the event loop, to each room */
const perTurn = (turn: number, roomCount = 1): Fed => ({
  what: `bare ws, pre-framed, one write per turn of ${turn}`,
  script: './bare-ws.ts',
  args: ['perTurn', String(roomCount), String(turn)],
});
const hubAlone = (turn: number, roomCount = 1): Fed => ({
  what: "Parley's hub alone, events as from another instance",
  script: './hub-server.ts',
  args: [String(roomCount), String(turn)],
  welcomeFrames: 1,
});

/** socket.io with Redis, when its packages were installed into bench/node_modules. */
async function socketIo(members: number, count: number, text: string): Promise<Row[]> {
  if (!existsSync(fileURLToPath(new URL('./node_modules/socket.io', import.meta.url)))) return [];
  const redis = await startRedis();
  const peer: Fed = {
    what: 'socket.io with its Redis adapter',
    script: './socket-io-server.ts',
    args: [redis.url],
    path: '/socket.io/?EIO=4&transport=websocket',
    hello: '40',
    welcomeFrames: 2,
  };
  try {
    return [await fed(peer, members, count, text)];
  } finally {
    await redis.stop();
  }
}

/** NATS over WebSocket, where Debian's package is installed. */
async function nats(members: number, count: number, text: string): Promise<Row[]> {
  const server = await startNats();
  if (!server) return [];
  const crowd = startCrowd();
  const hellos = Array(members).fill(natsHello);
  await crowd.order({ do: 'open', port: server.port, path: '/', hellos, welcomeFrames: natsWelcomeFrames });
  const reached = crowd.order({ do: 'expect', bytesEach: count * server.bytesOf(text) });
  const [cpu, startedMs] = [cpuSeconds(server.child.pid!), performance.now()];
  server.publish(text, count);
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.child.pid!) - cpu;
  await crowd.stop();
  await server.stop();
  const deliveries = members * count;
  return [{ what: 'NATS over WebSocket', rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6 }];
}

async function parley(members: number, count: number, filler: string): Promise<Row> {
  const town = await startTown(serverCore);
  const people = await town.addPeople(members);
  const room = await town.addRoom(people);
  const server = await startParleyServer(town);
  const { port } = server;
  const [readers, senders] = [startCrowd(), startCrowd()];
  const hello = (token: string) => JSON.stringify({ type: 'hello', id: 0, token });
  await readers.order({
    do: 'open',
    port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: people.map(({ token }) => hello(token)),
    welcomeFrames: 1,
  });
  await senders.order({
    do: 'open',
    port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: people.slice(0, 8).map(({ token }) => hello(token)),
    welcomeFrames: 1,
  });
  const text = JSON.stringify({ type: 'message.send', id: '{n}', roomId: room, clientId: 'k{n}', text: filler });
  const warm = await senders.order({
    do: 'send',
    texts: [text.replaceAll('{n}', 'w{n}').replace('"id":"w{n}"', '"id":"{n}"')],
    inFlight: 16,
    total: 200,
  });
  if (warm.refused) throw new Error(`${warm.refused} sends were refused`);
  const reached = readers.order({ do: 'expect', framesEach: count });
  await new Promise((wake) => setTimeout(wake, 500));
  const pids = [server.child.pid!, town.pid];
  const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
  await senders.order({ do: 'send', texts: [text], inFlight: 16, total: count });
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = systemCpuSeconds(pids) - cpu;
  await Promise.all([readers.stop(), senders.stop()]);
  await server.stop();
  await town.end();
  const deliveries = members * count;
  return {
    what: 'Parley: judged, stored, then delivered',
    rate: deliveries / seconds,
    cpuMicros: (used / deliveries) * 1e6,
  };
}

/** As long as one of Parley's frames is. */
const frame = 'x'.repeat(560);

/** Beside one write per message, beside one per turn, beside socket.io; and the CPU of one member in a thousand. */
const goals: Readonly<Record<number, number>> = { 100: 15, 1000: 6, 5000: 2.5 };

/**
 * What a flooded room gets in one turn of the event loop: the fewer members, the shorter is a turn of 16 and the more messages come
 * together before the next. A group commit holds up to 512.
 */
const turnOf = (members: number): number => (members <= 100 ? 64 : 16);

/** @param count messages of the run */
export async function fanOut(members: number, count: number): Promise<Row[]> {
  const filler = 'The quick brown fox jumps over the lazy dog, and nobody minds.';
  const turn = turnOf(members);
  const bare = await fed(perMessage, members, count, frame);
  const batched = await fed(perTurn(turn), members, count * 4, frame);
  const hub = await fed(hubAlone(turn), members, count * 4, frame.slice(60));
  const whole = await parley(members, count * 4, filler);
  const beside = (own: Row, peer: Row) => (own.rate / peer.rate).toFixed(2);
  const peers = await socketIo(members, Math.ceil(count / 8), frame);
  const others = await nats(members, count, frame);
  const note = (own: Row) =>
    `${beside(own, batched)} × the batching bare server (goal ≥ 0.8), CPU ${(own.cpuMicros! / batched.cpuMicros!).toFixed(2)} × its (goal ≤ 1.5)${peers.map((peer) => `; ${beside(own, peer)} × socket.io`).join('')}`;
  const goal = { least: goals[members]! };
  return [bare, batched, { ...hub, goal, note: note(hub) }, { ...whole, goal, note: note(whole) }, ...peers, ...others];
}

/** Every room gets the same number of messages, a turn's worth at once. */
export async function smallRooms(roomCount: number, membersEach: number, count: number): Promise<Row[]> {
  const members = roomCount * membersEach;
  return [
    await fed({ ...perMessage, args: ['perMessage', String(roomCount)] }, members, count, frame),
    await fed(perTurn(16, roomCount), members, count, frame),
    await fed(hubAlone(16, roomCount), members, count, frame.slice(60)),
  ];
}
