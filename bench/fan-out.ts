/** Deliveries to the members of one room: Parley, store and moderation and all, beside bare `ws` that only writes. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startCrowd } from './crowd-control.ts';
import { cpuSeconds, freePort, type Row, serverCore, startPinned, stop, waitFor } from './measure.ts';
import { jwtSecret, startTown } from './town.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const wide = {
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000000',
  PARLEY_LIMITS_FRAMES_BURST: '1000000',
  PARLEY_REALTIME_SOCKETS_PER_USER: '100000',
  PARLEY_REALTIME_QUEUE_BYTES: '64MB',
  PARLEY_REALTIME_QUEUE_EVENTS: '1000000',
};

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
  const port = await freePort();
  const server = startPinned(serverCore, here(script), { args: [String(port), ...args], ipc: true });
  await new Promise((resolve) => server.once('message', resolve));
  const crowd = startCrowd();
  await crowd.order({ do: 'open', port, path, hellos: Array(members).fill(hello), welcomeFrames });
  const reached = crowd.order({ do: 'expect', framesEach: count });
  const [cpu, startedMs] = [cpuSeconds(server.pid!), performance.now()];
  server.send({ text, count });
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.pid!) - cpu;
  await crowd.stop();
  await stop(server);
  const deliveries = members * count;
  return { what, rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6 };
}

const perMessage: Fed = {
  what: 'bare ws, pre-framed, one write per message',
  script: './bare-ws.ts',
  args: ['perMessage'],
};
const perTurn: Fed = {
  what: 'bare ws, pre-framed, one write per turn of 16',
  script: './bare-ws.ts',
  args: ['perTurn'],
};
const hubAlone: Fed = {
  what: "Parley's hub alone, events as from another instance",
  script: './hub-server.ts',
  welcomeFrames: 1,
};

/** socket.io with Redis, when its packages were installed into bench/node_modules. */
async function socketIo(members: number, count: number, text: string): Promise<Row[]> {
  if (!existsSync(here('./node_modules/socket.io'))) return [];
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  });
  await new Promise((wake) => setTimeout(wake, 500));
  const peer: Fed = {
    what: 'socket.io with its Redis adapter',
    script: './socket-io-server.ts',
    args: [`redis://127.0.0.1:${port}`],
    path: '/socket.io/?EIO=4&transport=websocket',
    hello: '40',
    welcomeFrames: 2,
  };
  try {
    return [await fed(peer, members, count, text)];
  } finally {
    redis.kill();
  }
}

async function parley(members: number, count: number, filler: string): Promise<Row> {
  const town = await startTown();
  const people = await town.addPeople(members);
  const room = await town.addRoom(people);
  const port = await freePort();
  const server = startPinned(serverCore, here('../src/main.ts'), {
    args: ['--role', 'all'],
    env: {
      DATABASE_URL: town.url,
      JWT_SECRET: jwtSecret,
      PORT: String(port),
      HOST: '127.0.0.1',
      PARLEY_PROCESSING_PORT: String(await freePort()),
      LOG_LEVEL: 'warn',
      ...wide,
    },
  });
  await waitFor(`http://127.0.0.1:${port}/health/ready`);
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
  const [cpu, startedMs] = [cpuSeconds(server.pid!), performance.now()];
  await senders.order({ do: 'send', texts: [text], inFlight: 16, total: count });
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.pid!) - cpu;
  await Promise.all([readers.stop(), senders.stop()]);
  await stop(server);
  await town.end();
  const deliveries = members * count;
  return {
    what: 'Parley: judged, stored, then delivered',
    rate: deliveries / seconds,
    cpuMicros: (used / deliveries) * 1e6,
  };
}

/** @param count messages of the run */
export async function fanOut(members: number, count: number): Promise<Row[]> {
  const filler = 'The quick brown fox jumps over the lazy dog, and nobody minds.';
  // As long as one of Parley's frames is.
  const frame = 'x'.repeat(560);
  return [
    await fed(perMessage, members, count, frame),
    await fed(perTurn, members, count, frame),
    await fed(hubAlone, members, count * 4, frame.slice(60)),
    await parley(members, count, filler),
    ...(await socketIo(members, Math.ceil(count / 8), frame)),
  ];
}
