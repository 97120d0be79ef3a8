/**
 * The newest 50 messages of a room, out of very many: cold rooms (each asked once) and one live room, beside pgbench, which asks
 * Postgres for the same rows and throws them away. The server and its Postgres share a core.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AskOrder, AskReport } from './http-crowd.ts';
import { clientCore, percentile, type Row, serverCore, startPinned, stop, systemCpuSeconds } from './measure.ts';
import { startParleyServer } from './systems.ts';
import { type Person, startTown, type Town } from './town.ts';

/** Each cold one is asked once. */
const [warmRooms, coldRooms] = [2000, 8000];

/** Rooms with the same number of messages each, written as the log holds them. */
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

async function ask(order: AskOrder): Promise<AskReport> {
  const crowd = startPinned(clientCore, fileURLToPath(new URL('./http-crowd.ts', import.meta.url)), { ipc: true });
  const report = await new Promise<AskReport>((resolve) => {
    crowd.once('message', resolve);
    crowd.send(order);
  });
  await stop(crowd);
  if (report.failed) throw new Error(`${report.failed} requests were refused, the first with ${report.firstFailure}`);
  return report;
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
      '8',
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

export async function history(messages: number): Promise<Row[]> {
  const town = await startTown(serverCore);
  const [owner] = await town.addPeople(1);
  const rooms = await fillRooms(town, owner!, messages, warmRooms + coldRooms);
  await town.sql`create table bench_rooms (n int primary key, id uuid not null)`;
  await town.sql`insert into bench_rooms select n, id from unnest(${rooms}::uuid[]) with ordinality as r(id, n)`;
  const ceiling = pgbench(town, rooms);
  const server = await startParleyServer(town, { role: 'chat' });
  const pids = [server.child.pid!, town.pid];
  const path = (roomId: string) => `/v1/rooms/${roomId}/messages?limit=50`;
  const measured = async (
    what: string,
    least: number,
    warm: readonly string[],
    paths: readonly string[],
    total: number,
  ) => {
    const order = { port: server.port, token: owner!.token, connections: 8 };
    await ask({ ...order, paths: warm, total: 2000 });
    const cpu = systemCpuSeconds(pids);
    const { milliseconds, latencies } = await ask({ ...order, paths, total });
    const rate = total / (milliseconds / 1000);
    return {
      what,
      rate,
      cpuMicros: ((systemCpuSeconds(pids) - cpu) / total) * 1e6,
      ratio: rate / ceiling,
      goal: { least },
      note: `p99 ${percentile(latencies, 0.99).toFixed(1)} ms`,
    };
  };
  const paths = rooms.map(path);
  const [warm, unasked] = [paths.slice(0, warmRooms), paths.slice(warmRooms)];
  const cold = await measured('Parley, another room each time', 0.55, warm, unasked, coldRooms);
  const live = await measured('Parley, a live room', 1.2, warm.slice(0, 1), warm.slice(0, 1), 32_000);
  await server.stop();
  await town.end();
  return [{ what: `pgbench, prepared, out of ${messages.toLocaleString('en')} messages`, rate: ceiling }, cold, live];
}
