/** Calls a processing server in the way that its parent chooses, and reports the results to it. */
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { rows } from '../scripts/evaluate/shipped.ts';
import { ProcessingService } from '../src/gen/parley/processing/v1/processing_pb.ts';
import { toProcessRequest } from '../src/processing/client/draft-wire.ts';
import { createProcessingClient, type DraftText } from '../src/processing/client/processing-client.ts';
import { createProcessingInstance } from '../src/processing/client/processing-instance.ts';
import { createNetworkTransport } from '../src/processing/client/processing-transport.ts';

export interface Asking {
  readonly url: string;
  /** `connect` and `grpc`: one call per text. `stream`: batches over one stream. `judge`: the chat role's client, text by text. */
  readonly way: 'connect' | 'grpc' | 'stream' | 'judge';
  readonly seconds: number;
  readonly inFlight: number;
  /** Texts per batch, for `stream`. */
  readonly batch?: number;
  /** Calls started per second, evenly spaced. Absent: as many as `inFlight` allows. */
  readonly callsPerSecond?: number;
}

export interface Asked {
  /** Texts per second. */
  readonly rate: number;
  /** Milliseconds from the call to its answer. */
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

const texts = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
let turn = 0;
const nextDraft = (): DraftText => ({
  key: 'bench',
  text: texts[turn++ % texts.length]!,
  kind: 'message',
  roomId: 'room',
  senderId: 'sender',
});

function createAsk({ url, way, batch = 1 }: Asking): { ask: () => Promise<number>; stop: () => void } {
  if (way === 'connect' || way === 'grpc') {
    const transport =
      way === 'grpc'
        ? createGrpcTransport({ baseUrl: url, acceptCompression: [] })
        : createConnectTransport({ baseUrl: url, httpVersion: '2', acceptCompression: [] });
    const client = createClient(ProcessingService, transport);
    return { ask: () => client.process(toProcessRequest(nextDraft())).then(() => 1), stop: () => {} };
  }
  const peer = createProcessingInstance({
    name: 'bench',
    ...createNetworkTransport(url, { answerBytes: 16 * 1024 * 1024 }),
    token: undefined,
    breaker: { failuresToOpen: 3, pauseMs: 250, pauseMaxMs: 2000 },
    probeTimeoutMs: 1000,
  });
  if (way === 'stream')
    return {
      ask: async () =>
        (
          await peer.send(
            Array.from({ length: batch }, () => toProcessRequest(nextDraft())),
            10_000,
          )
        ).length,
      stop: () => peer.stop(),
    };
  const client = createProcessingClient({
    instances: [peer],
    settings: {
      queueWaitMs: 10_000,
      timeoutMs: 5000,
      attemptTimeoutMs: 2000,
      batchMax: 256,
      batchWeightMax: 262_144,
      inFlightMax: 8,
      queueMax: 20_000,
      fallback: 'refuse',
      retries: { share: 0.1, reserve: 2048 },
    },
  });
  return { ask: () => client.judgeOne(nextDraft()).then(() => 1), stop: () => client.stop() };
}

async function run(asking: Asking): Promise<Asked> {
  const { ask, stop } = createAsk(asking);
  const waits: number[] = [];
  let judged = 0;
  let failed = 0;
  const one = async (): Promise<void> => {
    const begunMs = performance.now();
    try {
      const count = await ask();
      judged += count;
      waits.push(performance.now() - begunMs);
    } catch {
      failed++;
    }
  };
  const warmUntilMs = performance.now() + 1500;
  await Promise.all(
    Array.from({ length: Math.min(asking.inFlight, 256) }, async () => {
      while (performance.now() < warmUntilMs) await one();
    }),
  );
  waits.length = judged = failed = 0;
  const startedMs = performance.now();
  const endMs = startedMs + asking.seconds * 1000;
  if (asking.callsPerSecond === undefined) {
    await Promise.all(
      Array.from({ length: asking.inFlight }, async () => {
        while (performance.now() < endMs) await one();
      }),
    );
  } else {
    const open = new Set<Promise<void>>();
    for (let begun = 0; performance.now() < endMs; ) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * asking.callsPerSecond);
      for (; begun < due; begun++) {
        const call: Promise<void> = one().finally(() => open.delete(call));
        open.add(call);
      }
      await new Promise((wake) => setTimeout(wake, 1));
    }
    await Promise.all(open);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  stop();
  waits.sort((left, right) => left - right);
  const at = (share: number) => waits[Math.floor(waits.length * share)] ?? Number.NaN;
  return { rate: judged / seconds, p50: at(0.5), p99: at(0.99), failed };
}

process.on('message', (asking: Asking) => {
  void run(asking).then((asked) => process.send?.(asked));
});
