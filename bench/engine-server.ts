/**
 * A processing server for the benchmarks: the real port and service with the shipped engine (`shipped`), or with one that does nothing
 * (`echo`) and so shows the cost of the path to it. Reports its port to its parent, and its load on request.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { loadConfig } from '../src/config/load.ts';
import { startEngine } from '../src/processing/engine/engine.ts';
import { readShippedState, textWorker } from '../src/processing/engine/text-engine.ts';
import type { TextEngine } from '../src/processing/engine/text-task.ts';
import { startProcessingServer } from '../src/processing/server/processing-server.ts';

export interface ServerLoad {
  /** CPU seconds of the process since the last answer, and the part that threads spent on texts. */
  readonly cpuSeconds: number;
  readonly stageSeconds: Readonly<Record<string, number>>;
  /** Share of the time in which the event loop was busy. */
  readonly loopBusy: number;
  /** Event loop delay in ms: 99th percentile and maximum. */
  readonly loopLagP99: number;
  readonly loopLagMax: number;
  readonly batches: number;
  readonly texts: number;
}

const [kind = 'shipped', threads = '1'] = process.argv.slice(2);
const { moderation, processing } = loadConfig([], {}).config;
let stageSeconds: Record<string, number> = {};
let batches = 0;
let texts = 0;

const echo: TextEngine = {
  judge: async (tasks) => {
    texts += tasks.length;
    return tasks.map(({ text }) => ({
      outcome: 'allow' as const,
      spamScore: 0,
      labels: [],
      html: `<p>${text}</p>\n`,
      links: [],
      mentions: [],
    }));
  },
  version: () => 'echo',
};

async function startShipped(): Promise<TextEngine> {
  return startEngine({
    module: textWorker,
    state: await readShippedState(moderation),
    version: 'shipped',
    settings: {
      threads: Number(threads),
      spares: 1,
      queueMax: processing.queueMax,
      queueWeightMax: processing.queueMax * 4000,
      batchMax: processing.batchMax,
      itemTimeoutMs: processing.itemTimeout,
      loadTimeoutMs: 20_000,
      heapMb: 256,
      quarantineMs: 60_000,
      quarantineMax: 1000,
    },
    events: {
      onBatch: (items, stageMs) => {
        batches++;
        texts += items;
        for (const [stage, ms] of Object.entries(stageMs)) stageSeconds[stage] = (stageSeconds[stage] ?? 0) + ms / 1000;
      },
    },
  });
}

const server = await startProcessingServer({
  settings: {
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    requestBytes: 4 * 1024 * 1024,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    connectionsMax: 1000,
    streamsMax: 1000,
    pingEveryMs: 20_000,
    session: { resetsPerSecond: 30, resetsBurst: 200, controlFramesPerSecond: 20, controlFramesBurst: 200 },
  },
  service: {
    engine: kind === 'echo' ? echo : await startShipped(),
    learn: async () => 0,
    limits: { textMax: 65_536, batchItemsMax: 1000 },
    callTimeoutMs: 10_000,
    streamBatchesMax: 16,
  },
  readiness: async () => ({ ready: true, dependencies: {} }),
});

const lag = monitorEventLoopDelay({ resolution: 5 });
lag.enable();
let cpu = process.cpuUsage();
let loop = performance.eventLoopUtilization();

process.on('message', () => {
  const used = process.cpuUsage(cpu);
  const load: ServerLoad = {
    cpuSeconds: (used.user + used.system) / 1e6,
    stageSeconds,
    loopBusy: performance.eventLoopUtilization(loop).utilization,
    loopLagP99: Math.max(0, lag.percentile(99) / 1e6 - 5),
    loopLagMax: Math.max(0, lag.max / 1e6 - 5),
    batches,
    texts,
  };
  cpu = process.cpuUsage();
  loop = performance.eventLoopUtilization();
  lag.reset();
  stageSeconds = {};
  batches = texts = 0;
  process.send?.(load);
});
process.send?.({ port: server.port });
