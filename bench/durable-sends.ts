/** Acked durable sends: Parley over its sockets, judged and with idempotency on, beside one Drizzle insert for each message. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { connectDatabase } from '../src/database/connect.ts';
import { events } from '../src/database/tables.ts';
import { startCrowd } from './crowd-control.ts';
import { cpuSeconds, freePort, type Row, serverCore, startPinned, stop, waitFor } from './measure.ts';
import { jwtSecret, startTown, type Town } from './town.ts';

const text = 'Shall we meet at the usual place around noon tomorrow? Bring the drawings, please.';
const wide = {
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000000',
  PARLEY_LIMITS_FRAMES_BURST: '1000000',
  PARLEY_REALTIME_IN_FLIGHT_PER_SOCKET: '4096',
};

/** What an application does that inserts a row for each message and waits for it. */
async function drizzleInserts(town: Town, inFlight: number, total: number): Promise<Row> {
  const { db, close } = connectDatabase({
    url: town.url,
    poolSize: 10,
    statementTimeout: 10_000,
    connectTimeout: 5000,
    name: 'bench',
  });
  const roomId = randomUUID();
  let next = 1;
  const work = async (): Promise<void> => {
    for (let seq = next++; seq <= total; seq = next++) {
      await db.insert(events).values({
        roomId,
        seq,
        type: 'message.created',
        at: sql`now()`,
        actorId: roomId,
        messageId: randomUUID(),
        clientId: `c${seq}`,
        text,
        html: `<p>${text}</p>\n`,
      });
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  const rate = total / ((performance.now() - startedMs) / 1000);
  await close();
  return { what: `Drizzle insert for each message, ${inFlight === 1 ? 'one by one' : `${inFlight} in flight`}`, rate };
}

async function parleySends(town: Town, inFlight: number, roomCount: number, total: number): Promise<Row> {
  const people = await town.addPeople(Math.min(roomCount, 64));
  const rooms = await town.addRooms(Array.from({ length: roomCount }, (_, at) => [people[at % people.length]!]));
  const port = await freePort();
  const server = startPinned(serverCore, fileURLToPath(new URL('../src/main.ts', import.meta.url)), {
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
  const crowd = startCrowd();
  await crowd.order({
    do: 'open',
    port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token })),
    welcomeFrames: 1,
  });
  const texts = people.map((_, at) =>
    JSON.stringify({ type: 'message.send', id: '{n}', roomId: rooms[at]!, clientId: 'k{n}', text }),
  );
  const each = Math.max(1, Math.floor(inFlight / people.length));
  await crowd.order({
    do: 'send',
    texts: texts.map((line) => line.replace('k{n}', 'w{n}')),
    inFlight: each,
    total: Math.min(2000, total),
  });
  const [cpu, startedMs] = [cpuSeconds(server.pid!), performance.now()];
  const report = await crowd.order({ do: 'send', texts, inFlight: each, total });
  if (report.refused) throw new Error(`${report.refused} sends were refused`);
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.pid!) - cpu;
  await crowd.stop();
  await stop(server);
  return {
    what: `Parley: judged, stored, acked over sockets, ${inFlight} in flight`,
    rate: total / seconds,
    cpuMicros: (used / total) * 1e6,
  };
}

export async function durableSends(): Promise<Row[]> {
  const town = await startTown();
  try {
    const oneByOne = await drizzleInserts(town, 1, 2000);
    const many = await drizzleInserts(town, 64, 10_000);
    const parley = await parleySends(town, 1024, 64, 30_000);
    return [oneByOne, many, parley];
  } finally {
    await town.end();
  }
}
