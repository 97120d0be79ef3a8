/**
 * Reads the newest 50 messages of a room out of very many: cold rooms (each read once) and one live room. Baseline: pgbench, which reads the
 * same rows from Postgres and discards them. The server and its Postgres share a core.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AskOrder, AskReport } from './http-crowd.ts';
import { clientCore, type Row, serverCore, startPinned, stop, systemCpuSeconds, whenGone } from './measure.ts';
import { type Contender, interleave, type Summary, toRow } from './rounds.ts';
import { type ServerUnderTest, startParleyServer } from './systems.ts';
import { type Person, startTown, type Town } from './town.ts';

/** One room is read repeatedly, each of the others at most once. */
const roomCount = 10_000;
/** Requests per round of rooms that were not read before. */
const coldRooms = 700;
/** Together with the measured ones they stay within `roomCount`. */
const coldWarmRounds = 9;

/** Rooms with the same number of messages each, written as rows of the log. */
export async function fillRooms(town: Town, owner: Person, messages: number, roomCount = 2000): Promise<string[]> {
  const rooms = await town.addRooms(Array.from({ length: roomCount }, () => [owner]));
  const each = Math.ceil(messages / roomCount);
  await town.sql`set synchronous_commit = off`;
  for (let at = 0; at < rooms.length; at += 50) {
    await town.sql`
      insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions)
      select r, s, 'message.created', now(), ${owner.id}, uuidv7(), 'k' || s, 0, 'Shall we meet at the usual place around noon tomorrow? Number ' || s,
        '<p>Shall we meet at the usual place around noon tomorrow? Number ' || s || '</p>', '{}'
      from unnest(${rooms.slice(at, at + 50)}::uuid[]) r, generate_series(2, ${each + 1}) s`;
  }
  await town.sql.unsafe('vacuum analyze events');
  return rooms;
}

function startAsking() {
  const crowd = startPinned(clientCore, fileURLToPath(new URL('./http-crowd.ts', import.meta.url)), { ipc: true });
  const gone = whenGone(crowd, 'the crowd');
  return {
    ask: async (order: AskOrder): Promise<AskReport> => {
      const answered = new Promise<AskReport>((resolve) => crowd.once('message', resolve));
      crowd.send(order, () => {});
      const report = await Promise.race([answered, gone]);
      if (report.failed)
        throw new Error(`${report.failed} requests were refused, the first with ${report.firstFailure}`);
      return report;
    },
    stop: () => stop(crowd),
  };
}

/** @returns transactions per second of prepared statements over 8 connections, the clients on their own core */
function pgbench(town: Town, rooms: readonly string[]): number {
  const script = join(tmpdir(), `parley-bench-${process.pid}.sql`);
  writeFileSync(
    script,
    `\\set n random(1, ${rooms.length})
select e.* from bench_rooms b join lateral (select * from events e where e.room_id = b.id and e.type = 'message.created' order by e.seq desc limit 50) e on true where b.n = :n;\n`,
  );
  const { hostname, port, username, password, pathname } = new URL(town.url);
  const { stdout, stderr, status } = spawnSync(
    'taskset',
    [
      '-c',
      clientCore,
      'pgbench',
      '-n',
      '-M',
      'prepared',
      '-c',
      '8',
      '-T',
      '2',
      '-f',
      script,
      '-h',
      hostname,
      '-p',
      port,
      '-U',
      username,
      pathname.slice(1),
    ],
    { env: { ...process.env, PGPASSWORD: password }, encoding: 'utf8' },
  );
  const found = /tps = ([\d.]+)/.exec(stdout);
  if (status !== 0 || !found) throw new Error(`pgbench failed: ${stderr}`);
  return Number(found[1]);
}

/** A user reads newest pages, from one path or from new ones each time; `nextPaths` gives those of the next round. */
export function asking(
  what: string,
  { server, pids, token }: { server: ServerUnderTest; pids: readonly number[]; token: string },
  total: number,
  nextPaths: () => readonly string[],
): Contender {
  const crowd = startAsking();
  return {
    what,
    stop: crowd.stop,
    round: async () => {
      const paths = nextPaths();
      const cpu = systemCpuSeconds(pids);
      const { milliseconds, latencies } = await crowd.ask({ port: server.port, token, connections: 8, paths, total });
      const used = systemCpuSeconds(pids) - cpu;
      return { rate: total / (milliseconds / 1000), cpuMicros: (used / total) * 1e6, latencies };
    },
  };
}

export async function history(messages: number): Promise<Row[]> {
  const town = await startTown(serverCore);
  const [owner] = await town.addPeople(1);
  const rooms = await fillRooms(town, owner!, messages, roomCount);
  await town.sql`create table bench_rooms (n int primary key, id uuid not null)`;
  await town.sql`insert into bench_rooms select n, id from unnest(${rooms}::uuid[]) with ordinality as r(id, n)`;
  const server = await startParleyServer(town, { role: 'chat' });
  const whole = { server, pids: [server.child.pid!, town.pid], token: owner!.token };
  const paths = rooms.map((roomId) => `/v1/rooms/${roomId}/messages?limit=50`);
  const unasked = paths.slice(1);
  const [ceiling, cold, live] = await interleave([
    {
      what: `pgbench, prepared, out of ${messages.toLocaleString('en')} messages`,
      round: async () => ({ rate: pgbench(town, rooms) }),
    },
    {
      ...asking('Parley, another room each time', whole, coldRooms, () => unasked.splice(0, coldRooms)),
      warmRoundsMax: coldWarmRounds,
    },
    asking('Parley, a live room', whole, 8000, () => paths.slice(0, 1)),
  ]);
  await server.stop();
  await town.end();
  const beside = (own: Summary, least: number) => toRow(own, { ratio: own.rate / ceiling!.rate, goal: { least } });
  return [toRow(ceiling!), beside(cold!, 0.55), beside(live!, 1.2)];
}
