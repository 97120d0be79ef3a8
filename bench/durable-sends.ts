/** Acknowledged durable sends: Parley over its sockets, with moderation and idempotency. Baseline: one Drizzle insert per message. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { connectDatabase } from '../src/database/connect.ts';
import { events } from '../src/database/tables/event-tables.ts';
import { startCrowd } from './crowd-control.ts';
import { onServerCore, type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { type Contender, interleave, toRow } from './rounds.ts';
import { type ServerUnderTest, startParleyServer } from './systems.ts';
import { type Person, startTown, type Town } from './town.ts';

/** Connections that send. */
const roomsMax = 1000;
const text = 'Shall we meet at the usual place around noon tomorrow? Bring the drawings, please.';

/** An application that inserts a row per message and waits for it, in this process. */
function drizzleInserts(town: Town, inFlight: number, total: number): Contender {
  const { db, close } = connectDatabase({
    url: town.url,
    poolSize: 10,
    statementTimeout: 10_000,
    connectTimeout: 5000,
    name: 'bench',
  });
  const roomId = randomUUID();
  let next = 1;
  const insertUntil = async (last: number): Promise<void> => {
    for (let seq = next++; seq <= last; seq = next++) {
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
  return {
    what: `Drizzle insert for each message, ${inFlight === 1 ? 'one by one' : `${inFlight} in flight`}`,
    round: () =>
      onServerCore(async () => {
        const last = next - 1 + total;
        const startedMs = performance.now();
        await Promise.all(Array.from({ length: inFlight }, () => insertUntil(last)));
        const rate = total / ((performance.now() - startedMs) / 1000);
        next = last + 1;
        return { rate };
      }),
    stop: close,
  };
}

/** Each user sends over their own connection, into one of at most a thousand rooms. */
async function parleySends(
  town: Town,
  server: ServerUnderTest,
  people: readonly Person[],
  total: number,
): Promise<Contender> {
  const roomCount = Math.min(people.length, roomsMax);
  const rooms = await town.addRooms(
    Array.from({ length: roomCount }, (_, room) => people.filter((_person, at) => at % roomCount === room)),
  );
  const crowd = startCrowd();
  await crowd.order({
    do: 'open',
    port: server.port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token })),
    welcomeFrames: 1,
  });
  const texts = people.map((_, at) =>
    JSON.stringify({ type: 'message.send', id: '{n}', roomId: rooms[at % roomCount]!, clientId: 'k{n}', text }),
  );
  const pids = [server.child.pid!, town.pid];
  return {
    what: `Parley: judged, stored, acked over sockets, ${people.length} in flight`,
    round: async () => {
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      const report = await crowd.order({ do: 'send', texts, inFlight: 1, total });
      if (report.refused) throw new Error(`${report.refused} sends were refused`);
      const seconds = (performance.now() - startedMs) / 1000;
      const used = systemCpuSeconds(pids) - cpu;
      return { rate: total / seconds, cpuMicros: (used / total) * 1e6, latencies: report.latencies! };
    },
    stop: crowd.stop,
  };
}

/** In both cases Postgres and the inserting process share a core. */
export async function durableSends(): Promise<Row[]> {
  const town = await startTown(serverCore);
  const server = await startParleyServer(town);
  const rows: Row[] = [];
  for (const [inFlight, inserted, sent] of [
    [1, 1000, 500],
    [64, 2000, 5000],
    [1024, 3000, 12_000],
  ] as const) {
    const people = await town.addPeople(inFlight);
    const [naive, ours] = await interleave([
      drizzleInserts(town, inFlight, inserted),
      await parleySends(town, server, people, sent),
    ]);
    const goal = inFlight === 1024 ? { goal: { least: 12 } } : {};
    rows.push(toRow(naive!, { ratio: 1 }), toRow(ours!, { ratio: ours!.rate / naive!.rate, ...goal }));
  }
  await server.stop();
  await town.end();
  return rows;
}
