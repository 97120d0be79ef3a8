/** Memory of an idle connection that has its welcome and a room. Baseline: bare `ws`. Goal: at most 1.2 times. */
import { startCrowd } from './crowd-control.ts';
import { type Row, residentBytes } from './measure.ts';
import { type ServerUnderTest, startParleyServer, startScript } from './systems.ts';
import { startTown } from './town.ts';

const settleMs = 4000;

/** Resident bytes after the garbage of the handshakes was collected. */
async function settled({ child }: ServerUnderTest): Promise<number> {
  await new Promise((wake) => setTimeout(wake, settleMs));
  return residentBytes(child.pid!);
}

async function plain(what: string, script: string, path: string, count: number): Promise<Row> {
  const server = await startScript(script, []);
  const crowd = startCrowd();
  const open = { do: 'open', port: server.port, path, welcomeFrames: 0 } as const;
  await crowd.order({ ...open, hellos: Array(200).fill('') });
  const before = await settled(server);
  await crowd.order({ ...open, hellos: Array(count).fill('') });
  const bytes = (await settled(server)) - before;
  await crowd.stop();
  await server.stop();
  return { what, rate: bytes / count };
}

async function parley(count: number): Promise<Row> {
  const town = await startTown();
  const people = await town.addPeople(count + 200);
  await town.addRoom(people);
  const server = await startParleyServer(town, { role: 'chat' });
  const { port } = server;
  const crowd = startCrowd();
  const hellos = people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token }));
  const open = { do: 'open', port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
  await crowd.order({ ...open, hellos: hellos.slice(0, 200) });
  const before = await settled(server);
  await crowd.order({ ...open, hellos: hellos.slice(200) });
  const bytes = (await settled(server)) - before;
  await crowd.stop();
  await server.stop();
  await town.end();
  return { what: 'Parley: identity, room, resume state', rate: bytes / count, goal: { most: 1.2 } };
}

/** Rows in bytes per connection. */
export async function idleConnections(count: number): Promise<Row[]> {
  return [
    await plain('bare ws', './bare-ws.ts', '/', count),
    await plain('@fastify/websocket as it comes', './fastify-ws.ts', '/', count),
    await parley(count),
  ];
}
