/**
 * One processing instance as the chat role sees it: a long-lived `ProcessStream` with several batches in flight, and a
 * breaker. The stream opens with the first batch after a loss; when it ends, all that was in flight fails at once.
 */
import { create } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  type BreakerSettings,
  type BreakerState,
  type CircuitBreaker,
  createCircuitBreaker,
} from '../../concurrency/circuit-breaker.ts';
import { Failure } from '../../errors.ts';
import {
  type ProcessBatchRequest,
  ProcessBatchRequestSchema,
  type ProcessBatchResponse,
  ProcessingService,
  type ProcessRequest,
  type ProcessResponse,
  Verdict as WireVerdict,
} from '../../gen/parley/processing/v1/processing_pb.ts';
import type { Outage } from '../../logger/outages.ts';
import type { TextResult } from '../engine/text-task.ts';
import { toVerdict, type Verdict } from './verdict.ts';

export interface ProcessingInstanceOptions {
  /** For metrics and logs. */
  readonly name: string;
  readonly transport: Transport;
  /** Drops the connection below the transport, so that the next call makes a new one. */
  readonly disconnect?: () => void;
  readonly token: string | undefined;
  readonly breaker: BreakerSettings;
  /** A probe is answered within this time. */
  readonly probeTimeoutMs: number;
  readonly onBreaker?: (state: BreakerState) => void;
  readonly outage?: Outage;
}

export interface ProcessingInstance {
  readonly name: string;
  readonly inFlight: () => number;
  readonly breaker: CircuitBreaker;
  /**
   * One batch over the stream; verdicts in the order of the items.
   * @throws Failure `unavailable`: overload, a lost stream, an answer that is no answer, or the time is up
   */
  readonly send: (items: readonly ProcessRequest[], timeoutMs: number) => Promise<Verdict[]>;
  readonly stop: () => void;
}

interface Waiting {
  readonly count: number;
  readonly resolve: (verdicts: Verdict[]) => void;
  readonly reject: (failure: Failure) => void;
  readonly timer: NodeJS.Timeout;
}

interface Stream {
  readonly push: (request: ProcessBatchRequest) => void;
  readonly abort: () => void;
}

/** Nothing is connected before the first batch. */
export function createProcessingInstance(options: ProcessingInstanceOptions): ProcessingInstance {
  const client = createClient(ProcessingService, options.transport);
  const headers: Record<string, string> = options.token ? { authorization: `Bearer ${options.token}` } : {};
  const waiting = new Map<string, Waiting>();
  let stream: Stream | undefined;
  let nextBatch = 0;

  const breaker = createCircuitBreaker({
    settings: options.breaker,
    probe: async () => {
      // A real text is judged, so an instance with a dead engine or nonsense answers does not pass.
      const answer = await client.check({ text: 'probe' }, { headers, timeoutMs: options.probeTimeoutMs });
      if (answer.verdict !== WireVerdict.ALLOW) throw new Failure('unavailable', 'the probe was not judged');
    },
    onChange: (state) => {
      if (state === 'open') dropStream('the breaker of the processing instance opened');
      options.onBreaker?.(state);
    },
    ...(options.outage ? { outage: options.outage } : {}),
  });

  function dropStream(reason: string): void {
    const dropped = stream;
    stream = undefined;
    dropped?.abort();
    options.disconnect?.();
    for (const [id, each] of waiting) settle(id, () => each.reject(new Failure('unavailable', reason)));
  }

  function settle(id: string, how: () => void): void {
    const each = waiting.get(id);
    if (!each) return;
    waiting.delete(id);
    clearTimeout(each.timer);
    how();
  }

  function receive(response: ProcessBatchResponse): void {
    const each = waiting.get(response.batchId);
    if (!each) return; // its time was up
    const { error, results } = response;
    settle(response.batchId, () => {
      if (error) return each.reject(refusal(error.code, error.message));
      const verdicts = results.length === each.count ? results.map(readVerdict) : [];
      if (verdicts.length === each.count && verdicts.every((verdict) => verdict !== undefined)) {
        breaker.succeeded();
        each.resolve(verdicts);
      } else {
        const noVerdicts = new Failure('unavailable', 'an answer without verdicts');
        breaker.failed(noVerdicts);
        each.reject(noVerdicts);
      }
    });
  }

  /** Overload does not count against the instance's breaker; every other failure does. */
  function refusal(code: number, message: string): Failure {
    if (code !== Code.Unavailable) breaker.failed(message);
    return new Failure('unavailable', message);
  }

  function open(): Stream {
    const opened = openStream(client, headers, {
      onResponse: receive,
      onEnd: (error) => {
        if (stream !== opened) return;
        stream = undefined;
        const lost = new Failure('unavailable', 'the stream to the processing instance ended', { cause: error });
        for (const [id, each] of waiting) settle(id, () => each.reject(lost));
        // Refused input is a bug of ours and counts as one failure. Anything else means that the instance is away.
        if (error && ConnectError.from(error).code === Code.InvalidArgument) breaker.failed(error);
        else breaker.trip(error ?? 'the stream ended');
      },
    });
    return opened;
  }

  return {
    name: options.name,
    inFlight: () => waiting.size,
    breaker,
    send: (items, timeoutMs) => {
      stream ??= open();
      const request = create(ProcessBatchRequestSchema);
      request.batchId = String(nextBatch++);
      request.items = [...items];
      request.timeoutMs = Math.ceil(timeoutMs);
      const { promise, resolve, reject } = Promise.withResolvers<Verdict[]>();
      const timer = setTimeout(() => {
        settle(request.batchId, () => reject(new Failure('unavailable', 'no answer in time')));
      }, timeoutMs);
      waiting.set(request.batchId, { count: items.length, resolve, reject, timer });
      stream.push(request);
      return promise;
    },
    stop: () => {
      breaker.stop();
      dropStream('the client stopped');
    },
  };
}

interface StreamEvents {
  readonly onResponse: (response: ProcessBatchResponse) => void;
  readonly onEnd: (error: unknown) => void;
}

function openStream(
  client: Client<typeof ProcessingService>,
  headers: Record<string, string>,
  events: StreamEvents,
): Stream {
  const controller = new AbortController();
  const outgoing: ProcessBatchRequest[] = [];
  let wake = (): void => {};

  async function* requests(): AsyncGenerator<ProcessBatchRequest> {
    while (!controller.signal.aborted) {
      const next = outgoing.shift();
      if (next) yield next;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  async function read(): Promise<void> {
    try {
      const responses = client.processStream(requests(), { headers, signal: controller.signal });
      for await (const response of responses) events.onResponse(response);
      events.onEnd(undefined);
    } catch (error) {
      events.onEnd(error);
    }
    controller.abort();
    wake();
  }
  void read();

  return {
    push: (request) => {
      outgoing.push(request);
      wake();
    },
    abort: () => {
      controller.abort();
      wake();
    },
  };
}

const outcomes: Readonly<Record<number, TextResult['outcome']>> = {
  [WireVerdict.ALLOW]: 'allow',
  [WireVerdict.FLAG]: 'flag',
  [WireVerdict.BLOCK]: 'block',
  [WireVerdict.ERROR]: 'error',
};

/** Undefined for a verdict that this build does not know: no verdict. Labels and links become plain data. */
function readVerdict(response: ProcessResponse): Verdict | undefined {
  const outcome = outcomes[response.verdict];
  if (!outcome) return undefined;
  const labels = response.labels.map(({ name, score, start, end, matched, id }) => ({
    name,
    score,
    start,
    end,
    matched,
    id,
  }));
  const links = response.links.map(({ url, text, start, end }) => ({ url, text, start, end }));
  const { spamScore, html, mentions, engineVersion } = response;
  const fingerprint =
    response.fingerprint.length === 0 ? undefined : Buffer.from(response.fingerprint).toString('latin1');
  return toVerdict({ outcome, spamScore, labels, html, links, mentions, fingerprint }, engineVersion);
}
