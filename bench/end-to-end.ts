/** Send → moderated → stored → delivered to 200 members, on one and on two instances. Baseline: a simple implementation (naive-server.ts). */
import { startCrowd } from './crowd-control.ts';
import { type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { type Contender, interleave, toRow } from './rounds.ts';
import { type ServerUnderTest, startParleyServer, startRedis, startScript } from './systems.ts';
import { startTown } from './town.ts';

const memberCount = 200;
const senderCount = 8;
const inFlight = 32;
const filler = 'The quick brown fox jumps over the lazy dog, and nobody minds.';

interface Scene {
  readonly what: string;
  readonly servers: readonly ServerUnderTest[];
  /** Processes besides the servers whose CPU counts, with their children. */
  readonly helpers: readonly number[];
  readonly hellos: readonly string[];
  readonly roomId: string;
  /** Messages per round. */
  readonly messages: number;
}

/** Members and senders are spread over the instances. */
async function openScene({ what, servers, helpers, hellos, roomId, messages }: Scene): Promise<Contender> {
  const [readers, senders] = [startCrowd(), startCrowd()];
  const at = <Value>(values: readonly Value[], index: number) => values.filter((_, n) => n % servers.length === index);
  for (const [index, { port }] of servers.entries()) {
    const open = { do: 'open', port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
    await readers.order({ ...open, hellos: at(hellos, index) });
    await senders.order({ ...open, hellos: at(hellos.slice(0, senderCount), index) });
  }
  const text = JSON.stringify({ type: 'message.send', id: '{n}', roomId, clientId: 'k{n}', text: filler });
  const pids = [...helpers, ...servers.map(({ child }) => child.pid!)];
  return {
    what,
    round: async () => {
      const reached = readers.order({ do: 'expect', framesEach: messages });
      reached.catch(() => {});
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      const report = await senders.order({ do: 'send', texts: [text], inFlight, total: messages });
      if (report.refused) throw new Error(`${report.refused} sends were refused`);
      await reached;
      const seconds = (performance.now() - startedMs) / 1000;
      const used = systemCpuSeconds(pids) - cpu;
      const deliveries = messages * hellos.length;
      return { rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6, latencies: report.latencies! };
    },
    stop: async () => {
      await Promise.all([readers.stop(), senders.stop()]);
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

export async function endToEnd(instances: 1 | 2): Promise<Row[]> {
  const town = await startTown(serverCore);
  const redis = await startRedis();
  try {
    const people = await town.addPeople(memberCount);
    const hellos = people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token }));
    const scene = { hellos, roomId: await town.addRoom(people), helpers: [town.pid, redis.pid] };
    // One after the other: each creates the table if it is missing.
    const naive = [];
    for (let at = 0; at < instances; at++) naive.push(await startScript('./naive-server.ts', [town.url, redis.url]));
    const settings: Record<string, string> = instances === 1 ? {} : { REDIS_URL: redis.url };
    const parleys = await Promise.all(Array.from({ length: instances }, () => startParleyServer(town, { settings })));
    const many = `${instances} instance${instances === 1 ? '' : 's'}`;
    const [first, ours] = await interleave([
      await openScene({
        ...scene,
        what: `Fastify, Drizzle, one publish per message; ${many}`,
        servers: naive,
        messages: 500,
      }),
      await openScene({ ...scene, what: `Parley, judged and idempotent; ${many}`, servers: parleys, messages: 8000 }),
    ]);
    return [toRow(first!), toRow(ours!, { goal: { least: instances === 1 ? 20 : 12 } })];
  } finally {
    await redis.stop();
    await town.end();
  }
}
