/** Real parts for the processing tests: an engine, a server on a free port, clients of every protocol. */
import { onTestFinished } from 'vitest';
import {
  createProcessingClient,
  type ProcessingClientOptions,
  type ProcessingClientSettings,
} from '../../src/processing/client/processing-client.ts';
import {
  createProcessingInstance,
  type ProcessingInstance,
  type ProcessingInstanceOptions,
} from '../../src/processing/client/processing-instance.ts';
import { createNetworkTransport } from '../../src/processing/client/processing-transport.ts';
import type { DraftText } from '../../src/processing/client/verdict.ts';
import {
  type Engine,
  type EngineOptions,
  type EngineSettings,
  startEngine,
} from '../../src/processing/engine/engine.ts';
import type { LearnExample, TextEngine } from '../../src/processing/engine/text-task.ts';
import { type ProcessingServerOptions, startProcessingServer } from '../../src/processing/server/processing-server.ts';
import type { ScriptedTextState } from './scripted-text-worker.ts';

export const engineSettings: EngineSettings = {
  threads: 1,
  spares: 1,
  queueMax: 5000,
  queueWeightMax: 16_000_000,
  batchMax: 128,
  itemTimeoutMs: 250,
  loadTimeoutMs: 10_000,
  heapMb: 128,
  quarantineMs: 60_000,
  quarantineMax: 1000,
};

/** The small engine of `scripted-text-worker.ts`. */
export async function startScriptedEngine(
  changes: Partial<EngineSettings> = {},
  options: Partial<EngineOptions<ScriptedTextState>> = {},
): Promise<Engine<ScriptedTextState>> {
  const engine = await startEngine<ScriptedTextState>({
    module: new URL('./scripted-text-worker.ts', import.meta.url),
    state: { blocked: ['forbidden'] },
    version: 'scripted-1',
    settings: { ...engineSettings, ...changes },
    ...options,
  });
  onTestFinished(() => engine.stop());
  return engine;
}

export interface ServerChanges {
  readonly token?: string;
  readonly engine?: TextEngine;
  readonly settings?: Partial<ProcessingServerOptions['settings']>;
  readonly service?: Partial<ProcessingServerOptions['service']>;
  readonly readiness?: ProcessingServerOptions['readiness'];
  readonly metrics?: ProcessingServerOptions['metrics'];
}

/** A server in this process; `learned` gathers what Learn took, `refused` the codes of calls that were refused. */
export async function startServer(changes: ServerChanges = {}) {
  const engine = changes.engine ?? (await startScriptedEngine());
  const learned: LearnExample[] = [];
  const refused: string[] = [];
  const server = await startProcessingServer({
    settings: {
      host: '127.0.0.1',
      port: 0,
      token: changes.token,
      requestBytes: 4 * 1024 * 1024,
      headersTimeoutMs: 1000,
      requestTimeoutMs: 2000,
      connectionsMax: 100,
      streamsMax: 1000,
      pingEveryMs: 20_000,
      session: { resetsPerSecond: 30, resetsBurst: 200, controlFramesPerSecond: 20, controlFramesBurst: 200 },
      ...changes.settings,
    },
    service: {
      engine,
      learn: async (examples) => {
        learned.push(...examples);
        return examples.length;
      },
      limits: { textMax: 65_536, batchItemsMax: 1000 },
      callTimeoutMs: 10_000,
      streamBatchesMax: 16,
      ...changes.service,
    },
    readiness: changes.readiness ?? (async () => ({ ready: true, dependencies: { engine: 'ready' } })),
    metrics: changes.metrics,
    onRefused: (code) => refused.push(code),
  });
  onTestFinished(() => server.stop(100));
  return { server, engine, learned, refused, url: `http://127.0.0.1:${server.port}` };
}

export const clientSettings: ProcessingClientSettings = {
  queueWaitMs: 3000,
  timeoutMs: 500,
  attemptTimeoutMs: 200,
  batchMax: 256,
  batchWeightMax: 262_144,
  inFlightMax: 8,
  queueMax: 20_000,
  fallback: 'local',
  retries: { share: 0.1, reserve: 1000 },
};

export const breakerSettings = { failuresToOpen: 3, pauseMs: 100, pauseMaxMs: 500 };

export function connectInstance(url: string, changes: Partial<ProcessingInstanceOptions> = {}): ProcessingInstance {
  const link = createNetworkTransport(url, { answerBytes: 16 * 1024 * 1024 });
  return createProcessingInstance({
    name: url,
    ...link,
    token: undefined,
    breaker: breakerSettings,
    probeTimeoutMs: 300,
    ...changes,
  });
}

/** A client of instances, with counts of its verdicts by source and of its retries by outcome. */
export function startClient(
  options: Omit<ProcessingClientOptions, 'settings'> & { settings?: Partial<ProcessingClientSettings> },
) {
  const sources = { remote: 0, local: 0, none: 0 };
  const retries = { asked: 0, over_budget: 0 };
  const client = createProcessingClient({
    ...options,
    settings: { ...clientSettings, ...options.settings },
    events: {
      onVerdicts: (source, count) => {
        sources[source] += count;
      },
      onRetries: (outcome, count) => {
        retries[outcome] += count;
      },
    },
  });
  onTestFinished(() => client.stop());
  return { client, sources, retries };
}

let nextKey = 0;

export function draft(text: string, changes: Partial<DraftText> = {}): DraftText {
  return { key: `k${nextKey++}`, text, kind: 'message', roomId: 'r1', senderId: 'u1', ...changes };
}
