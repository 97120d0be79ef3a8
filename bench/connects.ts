/** CPU of a connect: TCP, upgrade, token check, `welcome` with the user's rooms. Baseline: bare `ws`, which has no users. */
import { startCrowd } from './crowd-control.ts';
import { cpuSeconds, type Row, serverCore } from './measure.ts';
import { type Contender, interleave, toRow } from './rounds.ts';
import { type ServerUnderTest, socketIoOpening, startParleyServer, startScript, startSocketIo } from './systems.ts';
import { startTown } from './town.ts';

interface Storm {
  readonly what: string;
  readonly server: ServerUnderTest;
  readonly path: string;
  readonly protocol?: string;
  readonly hellos: readonly string[];
  readonly welcomeFrames: number;
}

/** In each round all clients connect, are counted, and disconnect. */
function storm({ what, server, ...open }: Storm): Contender {
  const count = open.hellos.length;
  return {
    what,
    round: async () => {
      const crowd = startCrowd();
      const cpu = cpuSeconds(server.child.pid!);
      const { milliseconds } = await crowd.order({ do: 'open', port: server.port, ...open });
      const used = cpuSeconds(server.child.pid!) - cpu;
      await crowd.stop();
      // The cost of disconnecting does not count in the next round.
      await new Promise((wake) => setTimeout(wake, 1000));
      return { rate: count / (milliseconds / 1000), cpuMicros: (used / count) * 1e6 };
    },
    stop: server.stop,
  };
}

/** @param count connections per round */
export async function connects(count: number): Promise<Row[]> {
  const town = await startTown(serverCore);
  const people = await town.addPeople(count);
  for (let at = 0; at < 10; at++) await town.addRoom(people.filter((_, index) => index % 10 === at));
  const contenders = [
    storm({
      what: 'bare ws',
      server: await startScript('./bare-ws.ts', []),
      path: '/',
      hellos: Array(count).fill(''),
      welcomeFrames: 0,
    }),
    storm({
      what: 'Parley: token, identity, rooms with unread counts',
      server: await startParleyServer(town, { role: 'chat' }),
      path: '/v1/ws',
      protocol: 'parley.v1',
      hellos: people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token })),
      welcomeFrames: 1,
    }),
  ];
  const peer = await startSocketIo();
  if (peer) {
    const { hello, ...opening } = socketIoOpening;
    contenders.push(storm({ what: 'socket.io, no token', server: peer, ...opening, hellos: Array(count).fill(hello) }));
  }
  const [bare, ours, ...others] = await interleave(contenders);
  await town.end();
  const ratio = (each: { readonly cpuMicros?: number }) => ({ ratio: each.cpuMicros! / bare!.cpuMicros! });
  return [
    toRow(bare!, ratio(bare!)),
    toRow(ours!, { ...ratio(ours!), goal: { most: 1.5 } }),
    ...others.map((other) => toRow(other, ratio(other))),
  ];
}
