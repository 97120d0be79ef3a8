/** Bytes that an idle connection costs: Parley's, welcomed and joined to a room, beside bare `ws`. Goal: at most 1.2 times. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startCrowd } from './crowd-control.ts';
import { freePort, type Row, residentBytes, serverCore, startPinned, stop, waitFor } from './measure.ts';
import { jwtSecret, startTown } from './town.ts';

const settleMs = 4000;

/** Resident bytes after the collector had time for what the handshakes left behind. */
async function settled(server: ChildProcess): Promise<number> {
  await new Promise((wake) => setTimeout(wake, settleMs));
  return residentBytes(server.pid!);
}

async function bare(count: number): Promise<Row> {
  const port = await freePort();
  const server = startPinned(serverCore, fileURLToPath(new URL('./bare-ws.ts', import.meta.url)), {
    args: [String(port)],
    ipc: true,
  });
  await new Promise((resolve) => server.once('message', resolve));
  const crowd = startCrowd();
  await crowd.order({ do: 'open', port, path: '/', hellos: Array(200).fill(''), welcomeFrames: 0 });
  const before = await settled(server);
  await crowd.order({ do: 'open', port, path: '/', hellos: Array(count).fill(''), welcomeFrames: 0 });
  const bytes = (await settled(server)) - before;
  await crowd.stop();
  await stop(server);
  return { what: 'bare ws', rate: bytes / count };
}

async function parley(count: number): Promise<Row> {
  const town = await startTown();
  const people = await town.addPeople(count + 200);
  await town.addRoom(people);
  const port = await freePort();
  const server = startPinned(serverCore, fileURLToPath(new URL('../src/main.ts', import.meta.url)), {
    args: ['--role', 'chat'],
    env: { DATABASE_URL: town.url, JWT_SECRET: jwtSecret, PORT: String(port), HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
  });
  await waitFor(`http://127.0.0.1:${port}/health/ready`);
  const crowd = startCrowd();
  const hellos = people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token }));
  const open = { do: 'open', port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
  await crowd.order({ ...open, hellos: hellos.slice(0, 200) });
  const before = await settled(server);
  await crowd.order({ ...open, hellos: hellos.slice(200) });
  const bytes = (await settled(server)) - before;
  await crowd.stop();
  await stop(server);
  await town.end();
  return { what: 'Parley: identity, room, resume state', rate: bytes / count };
}

/** Rows in bytes for each connection. */
export async function idleConnections(count: number): Promise<Row[]> {
  return [await bare(count), await parley(count)];
}
