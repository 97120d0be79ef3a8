/** Acked durable sends: Parley over its sockets, judged and with idempotency on, beside one Drizzle insert for each message. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { connectDatabase } from '../src/database/connect.ts';
import { events } from '../src/database/tables.ts';
import { startCrowd } from './crowd-control.ts';
import { onServerCore, percentile, type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { startParleyServer } from './systems.ts';
import { startTown, type Town } from './town.ts';

const text = 'Shall we meet at the usual place around noon tomorrow? Bring the drawings, please.';
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

export async function parleySends(town: Town, inFlight: number, roomCount: number, total: number): Promise<Row> {
  const people = await town.addPeople(roomCount);
  const rooms = await town.addRooms(people.map((person) => [person]));
  const server = await startParleyServer(town);
  const { port } = server;
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
  const pids = [server.child.pid!, town.pid];
  const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
  const report = await crowd.order({ do: 'send', texts, inFlight: each, total });
  if (report.refused) throw new Error(`${report.refused} sends were refused`);
  const seconds = (performance.now() - startedMs) / 1000;
  const used = systemCpuSeconds(pids) - cpu;
  await crowd.stop();
  await server.stop();
  return {
    what: `Parley: judged, stored, acked over sockets, ${inFlight} in flight`,
    rate: total / seconds,
    cpuMicros: (used / total) * 1e6,
    note: `ack p50 ${percentile(report.latencies!, 0.5).toFixed(1)} ms, p99 ${percentile(report.latencies!, 0.99).toFixed(1)} ms`,
  };
}

/** Postgres and what inserts share a core, for both. */
export async function durableSends(): Promise<Row[]> {
  const town = await startTown(serverCore);
  try {
    const oneByOne = await onServerCore(() => drizzleInserts(town, 1, 2000));
    const some = await onServerCore(() => drizzleInserts(town, 64, 6000));
    const many = await onServerCore(() => drizzleInserts(town, 1024, 10_000));
    const parleyOne = await parleySends(town, 1, 1, 2000);
    const parleySome = await parleySends(town, 64, 64, 20_000);
    const parleyMany = await parleySends(town, 1024, 1000, 60_000);
    const beside = (own: Row, peer: Row) => ({ ...own, ratio: own.rate / peer.rate });
    return [
      { ...oneByOne, ratio: 1 },
      beside(parleyOne, oneByOne),
      { ...some, ratio: 1 },
      beside(parleySome, some),
      { ...many, ratio: 1 },
      { ...beside(parleyMany, many), goal: { least: 12 } },
    ];
  } finally {
    await town.end();
  }
}
