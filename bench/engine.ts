/** The engine behind its port: texts per core, gain by batches, latency of a call, and load of the event loop. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Asked, Asking } from './engine-client.ts';
import type { ServerLoad } from './engine-server.ts';
import { clientCore, type Row, serverCore, startPinned, stop } from './measure.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function answerOf<Answer>(child: ChildProcess, question?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as Answer));
    child.once('exit', () => reject(new Error('a benchmark process ended')));
    if (question) child.send(question);
  });
}

interface Pair {
  readonly ask: (asking: Omit<Asking, 'url'>) => Promise<Asked & { readonly load: ServerLoad }>;
  readonly stop: () => Promise<void>;
}

/** Server on one core, client on the other; with `both` the server's threads use both cores. */
async function startPair(kind: 'shipped' | 'echo', core = serverCore): Promise<Pair> {
  const server = startPinned(core, script('engine-server.ts'), { args: [kind], ipc: true });
  const { port } = await answerOf<{ port: number }>(server);
  const client = startPinned(clientCore, script('engine-client.ts'), { ipc: true });
  return {
    ask: async (asking) => {
      const asked = await answerOf<Asked>(client, { url: `http://127.0.0.1:${port}`, ...asking });
      return { ...asked, load: await answerOf<ServerLoad>(server, {}) };
    },
    stop: async () => {
      await Promise.all([stop(client), stop(server)]);
    },
  };
}

type Measured = Asked & { readonly load: ServerLoad };

function toRow(what: string, { rate, p50, p99, failed, load }: Measured, unary: number, goal?: Row['goal']): Row {
  const waits = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms${failed === 0 ? '' : `, ${failed} failed`}`;
  return {
    what,
    note: waits,
    rate,
    cpuMicros: (load.cpuSeconds / Math.max(1, load.texts)) * 1e6,
    ratio: rate / unary,
    ...(goal === undefined ? {} : { goal }),
  };
}

const loopOf = ({ loopBusy, loopLagP99, loopLagMax }: ServerLoad): string =>
  `main loop ${(loopBusy * 100).toFixed(0)} % busy, late by ${loopLagP99.toFixed(1)} ms p99, ${loopLagMax.toFixed(0)} ms most`;

/** The path alone: an engine that takes no time. */
export async function engineWire(): Promise<Row[]> {
  const pair = await startPair('echo');
  const seconds = 4;
  const unary = await pair.ask({ way: 'connect', seconds, inFlight: 64 });
  const grpc = await pair.ask({ way: 'grpc', seconds, inFlight: 64 });
  const rows = [
    toRow('unary Connect calls, 64 in flight', unary, unary.rate),
    toRow('unary gRPC calls, 64 in flight', grpc, unary.rate),
  ];
  for (const batch of [16, 128, 256, 512]) {
    const measured = await pair.ask({ way: 'stream', seconds, inFlight: 8, batch });
    rows.push(
      toRow(
        `one stream, batches of ${batch}, 8 in flight`,
        measured,
        unary.rate,
        batch === 256 ? { least: 90 } : undefined,
      ),
    );
  }
  const judged = await pair.ask({ way: 'judge', seconds, inFlight: 4000 });
  rows.push(toRow('the chat role’s client, 4,000 texts in flight', judged, unary.rate));
  await pair.stop();
  return rows;
}

/** The shipped engine, one thread. */
export async function engineShipped(): Promise<Row[]> {
  const pair = await startPair('shipped');
  const seconds = 5;
  const unary = await pair.ask({ way: 'connect', seconds, inFlight: 64 });
  const grpc = await pair.ask({ way: 'grpc', seconds, inFlight: 64 });
  const half = await pair.ask({ way: 'grpc', seconds, inFlight: 1, callsPerSecond: grpc.rate / 2 });
  const stream = await pair.ask({ way: 'stream', seconds, inFlight: 8, batch: 128 });
  const flood = await pair.ask({ way: 'stream', seconds, inFlight: 64, batch: 128 });
  await pair.stop();
  const { stageSeconds, texts } = stream.load;
  const thread = Object.values(stageSeconds).reduce((sum, each) => sum + each, 0);
  const stages = Object.entries(stageSeconds).map(
    ([stage, each]) => `${stage} ${((each / texts) * 1e6).toFixed(1)} µs`,
  );
  return [
    toRow('unary Connect calls, 64 in flight', unary, unary.rate),
    toRow('unary gRPC calls, 64 in flight', grpc, unary.rate),
    toRow('unary gRPC calls at half that load', half, unary.rate),
    toRow('one stream, batches of 128, 8 in flight', stream, unary.rate),
    { what: `  of it on the thread: ${stages.join(', ')}`, rate: texts / thread, ratio: texts / thread / unary.rate },
    toRow(`flood, 8,192 texts in flight; ${loopOf(flood.load)}`, flood, unary.rate),
  ];
}
