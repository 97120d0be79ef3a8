/** CPU of a connect: TCP, upgrade, token check, `welcome` with the user's rooms; beside bare `ws`, which knows nobody. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startCrowd } from './crowd-control.ts';
import { cpuSeconds, type Row, serverCore } from './measure.ts';
import { type ServerUnderTest, startParleyServer, startRedis, startScript } from './systems.ts';
import { startTown } from './town.ts';

interface Storm {
  readonly what: string;
  readonly server: ServerUnderTest;
  readonly path: string;
  readonly protocol?: string;
  readonly hellos: readonly string[];
  readonly welcomeFrames: number;
}

async function storm({ what, server, hellos, ...open }: Storm): Promise<Row> {
  const crowd = startCrowd();
  const warm = Math.floor(hellos.length / 4);
  await crowd.order({ do: 'open', port: server.port, ...open, hellos: hellos.slice(0, warm) });
  const [cpu, startedMs] = [cpuSeconds(server.child.pid!), performance.now()];
  await crowd.order({ do: 'open', port: server.port, ...open, hellos: hellos.slice(warm) });
  const count = hellos.length - warm;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = cpuSeconds(server.child.pid!) - cpu;
  await crowd.stop();
  await server.stop();
  return { what, rate: count / seconds, cpuMicros: (used / count) * 1e6 };
}

export async function connects(count: number): Promise<Row[]> {
  const nobody = Array(count).fill('') as string[];
  const bare = await storm({
    what: 'bare ws',
    server: await startScript('./bare-ws.ts', []),
    path: '/',
    hellos: nobody,
    welcomeFrames: 0,
  });
  const town = await startTown(serverCore);
  const people = await town.addPeople(count);
  for (let at = 0; at < 10; at++) await town.addRoom(people.filter((_, index) => index % 10 === at));
  const ours = await storm({
    what: 'Parley: token, identity, rooms with unread counts',
    server: await startParleyServer(town, { role: 'chat' }),
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token })),
    welcomeFrames: 1,
  });
  await town.end();
  const rows = [bare, ours];
  if (existsSync(fileURLToPath(new URL('./node_modules/socket.io', import.meta.url)))) {
    const redis = await startRedis();
    const server = await startScript('./socket-io-server.ts', [redis.url]);
    const path = '/socket.io/?EIO=4&transport=websocket';
    rows.push(
      await storm({ what: 'socket.io, no token', server, path, hellos: Array(count).fill('40'), welcomeFrames: 2 }),
    );
    await redis.stop();
  }
  return rows.map((row) => ({
    ...row,
    ratio: row.cpuMicros! / bare.cpuMicros!,
    ...(row === ours ? { goal: { most: 1.5 } } : {}),
  }));
}
