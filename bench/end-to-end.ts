/** Send → judged → stored → delivered to 200 members, on one instance and on two, beside what one writes first. */
import { startCrowd } from './crowd-control.ts';
import { percentile, type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { startParleyServer, startRedis, startScript } from './systems.ts';
import { startTown } from './town.ts';

const memberCount = 200;
const senderCount = 8;
const filler = 'The quick brown fox jumps over the lazy dog, and nobody minds.';

interface Scene {
  readonly what: string;
  readonly ports: readonly number[];
  /** Processes whose CPU counts, with all they start. */
  readonly pids: readonly number[];
  readonly hellos: readonly string[];
  readonly roomId: string;
  readonly messages: number;
  readonly inFlight: number;
}

/** Members are spread over the instances, senders too. */
async function run({ what, ports, pids, hellos, roomId, messages, inFlight }: Scene): Promise<Row> {
  const [readers, senders] = [startCrowd(), startCrowd()];
  const at = <Value>(values: readonly Value[], index: number) => values.filter((_, n) => n % ports.length === index);
  for (const [index, port] of ports.entries()) {
    const open = { do: 'open', port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
    await readers.order({ ...open, hellos: at(hellos, index) });
    await senders.order({ ...open, hellos: at(hellos.slice(0, senderCount), index) });
  }
  const text = JSON.stringify({ type: 'message.send', id: '{n}', roomId, clientId: 'k{n}', text: filler });
  const send = { do: 'send', texts: [text], inFlight } as const;
  const warm = await senders.order({ ...send, total: Math.min(400, messages) });
  if (warm.refused) throw new Error(`${warm.refused} sends were refused`);
  await new Promise((wake) => setTimeout(wake, 1000));
  const reached = readers.order({ do: 'expect', framesEach: messages });
  const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
  const report = await senders.order({ ...send, total: messages });
  await reached;
  const seconds = (performance.now() - startedMs) / 1000;
  const used = systemCpuSeconds(pids) - cpu;
  await Promise.all([readers.stop(), senders.stop()]);
  if (report.refused) throw new Error(`${report.refused} sends were refused`);
  const deliveries = messages * hellos.length;
  return {
    what,
    rate: deliveries / seconds,
    cpuMicros: (used / deliveries) * 1e6,
    note: `ack p50 ${percentile(report.latencies!, 0.5).toFixed(1)} ms, p99 ${percentile(report.latencies!, 0.99).toFixed(1)} ms`,
  };
}

export async function endToEnd(instances: 1 | 2): Promise<Row[]> {
  const town = await startTown(serverCore);
  const redis = await startRedis();
  try {
    const people = await town.addPeople(memberCount);
    const hellos = people.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token }));
    const roomId = await town.addRoom(people);
    const scene = { hellos, roomId };
    // One after the other: each makes the table unless it is there.
    const naive = [];
    for (let at = 0; at < instances; at++) naive.push(await startScript('./naive-server.ts', [town.url, redis.url]));
    const first = await run({
      what: `Fastify, Drizzle, one publish per message; ${instances} instance${instances === 1 ? '' : 's'}`,
      ports: naive.map(({ port }) => port),
      pids: [town.pid, redis.pid, ...naive.map(({ child }) => child.pid!)],
      messages: 1500,
      inFlight: 32,
      ...scene,
    });
    await Promise.all(naive.map((each) => each.stop()));
    const settings: Record<string, string> = instances === 1 ? {} : { REDIS_URL: redis.url };
    const parleys = await Promise.all(Array.from({ length: instances }, () => startParleyServer(town, { settings })));
    const ours = await run({
      what: `Parley, judged and idempotent; ${instances} instance${instances === 1 ? '' : 's'}`,
      ports: parleys.map(({ port }) => port),
      pids: [town.pid, redis.pid, ...parleys.map(({ child }) => child.pid!)],
      messages: 20_000,
      inFlight: 32,
      ...scene,
    });
    await Promise.all(parleys.map((each) => each.stop()));
    return [first, { ...ours, goal: { least: instances === 1 ? 20 : 12 } }];
  } finally {
    await redis.stop();
    await town.end();
  }
}
