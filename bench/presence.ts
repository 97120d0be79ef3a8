/**
 * `node bench/presence.ts [people]`: what presence costs and how soon it is right. Two instances over one Redis; 10,000 people are connected
 * to the second one, and watched from the first one by watchers of 500 people each.
 *
 * Prints the hints and bytes of a change that all these connections watch, the time until all of them have its frame, and, after the second
 * instance was killed, the time until all watched people are shown as offline. The grace is the default, 15 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { metricOf } from '../test/harness/metric.ts';
import { killAll, serverCore } from './measure.ts';
import { startParleyServer, startRedis } from './systems.ts';
import { type Person, startTown } from './town.ts';

const count = Number(process.argv[2] ?? 10_000);
const perWatcher = 500;
const roomSize = 100;
const changes = 20;
const atOnce = 100;

interface Client {
  readonly person: Person;
  readonly socket: WebSocket;
  readonly ask: (frame: Record<string, unknown>) => Promise<Record<string, unknown>>;
  /** The last status of each person that it received. */
  readonly seen: Map<string, string>;
}

function open(port: number, person: Person): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, 'parley.v1', { perMessageDeflate: false });
  const seen = new Map<string, string>();
  const answers = new Map<unknown, (frame: Record<string, unknown>) => void>();
  let nextId = 0;
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Record<string, unknown> & { data: { userId: string; status: string } };
    if (frame.type === 'presence') seen.set(frame.data.userId, frame.data.status);
    else answers.get(frame.id)?.(frame);
  });
  socket.on('error', () => {});
  const ask: Client['ask'] = (frame) =>
    new Promise((resolve) => {
      const id = ++nextId;
      answers.set(id, resolve);
      socket.send(JSON.stringify({ ...frame, id }));
    });
  return new Promise((resolve, reject) => {
    socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.once('open', () => {
      void ask({ type: 'hello', token: person.token }).then(() => resolve({ person, socket, ask, seen }));
    });
  });
}

async function openAll(port: number, people: readonly Person[]): Promise<Client[]> {
  const clients: Client[] = [];
  for (let at = 0; at < people.length; at += atOnce)
    clients.push(...(await Promise.all(people.slice(at, at + atOnce).map((person) => open(port, person)))));
  return clients;
}

async function until(holds: () => boolean, timeoutMs = 120_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error('not in time');
    await pause(5);
  }
}

async function watch(client: Client, people: readonly Person[]): Promise<void> {
  const answer = await client.ask({ type: 'presence.watch', userIds: people.map(({ id }) => id) });
  for (const [id, status] of Object.entries(answer.presence as Record<string, string>)) client.seen.set(id, status);
}

// Its servers end with it.
process.on('SIGTERM', () => process.exit(1));
const town = await startTown(serverCore);
const redis = await startRedis();
const settings = { REDIS_URL: redis.url, PARLEY_LIMITS_PRESENCE_BURST: '100000', PARLEY_PROCESSING_SPARE_THREADS: '0' };
const [near, far] = [await startParleyServer(town, { settings }), await startParleyServer(town, { settings })];
const farUrl = `http://127.0.0.1:${far.port}`;
const nearUrl = `http://127.0.0.1:${near.port}`;

const people = await town.addPeople(count);
const watchers = await town.addPeople(Math.ceil(count / perWatcher));
const [star] = (await town.addPeople(1)) as [Person];
const watchedBy = (at: number) => people.slice(at * perWatcher, (at + 1) * perWatcher);
await town.addRooms(
  watchers.flatMap((watcher, at) => {
    const own = watchedBy(at);
    const rooms: Person[][] = [];
    for (let first = 0; first < own.length; first += roomSize)
      rooms.push([watcher, ...own.slice(first, first + roomSize)]);
    return rooms;
  }),
);
await town.addRoom([star, ...people]);

const crowd = await openAll(far.port, people);
const watching = await openAll(near.port, watchers);
await Promise.all(watching.map((client, at) => watch(client, watchedBy(at))));
const sees = (status: string) =>
  watching.every(({ seen }, at) => watchedBy(at).every(({ id }) => seen.get(id) === status));
await until(() => sees('online'));

// One person, watched by everybody, connected to the other instance.
for (let at = 0; at < crowd.length; at += atOnce)
  await Promise.all(crowd.slice(at, at + atOnce).map((client) => watch(client, [star])));
const starred = await open(near.port, star);
await until(() => crowd.every(({ seen }) => seen.get(star.id) === 'online'));
const counts = async () => ({
  changes: await metricOf(nearUrl, 'parley_presence_changes_total'),
  bytes: await metricOf(nearUrl, 'parley_presence_hint_bytes_total'),
  frames: await metricOf(farUrl, 'parley_presence_frames_total'),
});
const before = await counts();
const times: number[] = [];
for (let n = 0; n < changes; n++) {
  const status = n % 2 === 0 ? 'away' : 'online';
  const startMs = performance.now();
  await starred.ask({ type: 'presence', status });
  await until(() => crowd.every(({ seen }) => seen.get(star.id) === status));
  times.push(performance.now() - startMs);
}
const after = await counts();
times.sort((left, right) => left - right);
process.stdout.write(
  `a change with ${count} watchers: ${(after.changes - before.changes) / changes} hints, ${(after.bytes - before.bytes) / changes} bytes of hints, ` +
    `${(after.frames - before.frames) / changes} frames; all have it after ${Math.round(times[changes / 2]!)} ms (median), ${Math.round(times.at(-1)!)} ms (most)\n`,
);

const killedMs = performance.now();
far.child.kill('SIGKILL');
await until(() => sees('offline'));
process.stdout.write(
  `an instance with ${count} watched people was killed: all are offline after ${((performance.now() - killedMs) / 1000).toFixed(1)} s, grace 15 s\n`,
);
for (const { socket } of [...watching, starred]) socket.terminate();
await near.stop();
await redis.stop();
await town.end();
killAll();
process.exit();
