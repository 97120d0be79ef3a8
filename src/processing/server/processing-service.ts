/**
 * The handlers of `parley.processing.v1.ProcessingService`. They only translate: wire in, engine, wire out.
 */
import { create } from '@bufbuild/protobuf';
import { ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { Failure, toFailure } from '../../errors.ts';
import {
  BatchErrorSchema,
  LearnResponseSchema,
  type ProcessBatchRequest,
  type ProcessBatchResponse,
  ProcessBatchResponseSchema,
  type ProcessingService,
} from '../../gen/parley/processing/v1/processing_pb.ts';
import type { LearnExample, TextEngine, TextResult, TextTask } from '../engine/text-task.ts';
import {
  readBatchId,
  readExamples,
  readItems,
  readRenderTask,
  readTask,
  toCheckResponse,
  toProcessResponse,
  toRenderResponse,
  type WireLimits,
} from './processing-wire.ts';
import { answerAsReady } from './stream-answers.ts';

export interface ProcessingServiceOptions {
  readonly engine: TextEngine;
  /** Stores examples and lets the engine learn them. Resolves with the number of new ones. */
  readonly learn: (examples: readonly LearnExample[]) => Promise<number>;
  readonly limits: WireLimits;
  /** Longest time of a call, whatever its own deadline. */
  readonly callTimeoutMs: number;
  /** Most batches of one stream in progress. Beyond it the stream is not read. */
  readonly streamBatchesMax: number;
  /** Aborted when the service drains: streams then end after their open batches were answered. */
  readonly draining: AbortSignal;
}

/** The gRPC status of a failure. Anything but a `Failure` is a bug and becomes `internal`, without its cause. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const failure = toFailure(error);
  const rejected = new ConnectError(failure.message, failure.kind.rpc, undefined, undefined, failure);
  if (failure.retryAfterMs !== undefined) rejected.metadata.set('retry-after-ms', String(failure.retryAfterMs));
  return rejected;
}

async function translated<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    throw toConnectError(error);
  }
}

/** Creates the handlers; register them on a Connect router. */
export function createProcessingService(options: ProcessingServiceOptions): ServiceImpl<typeof ProcessingService> {
  const { engine, limits } = options;

  /** Passes the rest of the call's deadline to the engine. If the caller disconnects, its work is dropped. */
  function within(context: HandlerContext, askedMs = 0): { deadlineMs: number; signal: AbortSignal } {
    const leftMs = context.timeoutMs() ?? Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(leftMs, askedMs || Number.POSITIVE_INFINITY, options.callTimeoutMs);
    return { deadlineMs, signal: context.signal };
  }

  async function judgeOne(task: TextTask, context: HandlerContext) {
    const [result] = await engine.judge([task], within(context));
    return result!;
  }

  function toBatchResponse(batchId: string, results: readonly TextResult[]): ProcessBatchResponse {
    const version = engine.version();
    const response = create(ProcessBatchResponseSchema);
    response.batchId = batchId;
    response.results = results.map((result) => toProcessResponse(result, version));
    return response;
  }

  /** Answers one batch of a stream. Overload and deadlines are answers; invalid input throws and ends the stream. */
  async function answerBatch(request: ProcessBatchRequest, context: HandlerContext): Promise<ProcessBatchResponse> {
    const batchId = readBatchId(request.batchId);
    const tasks = readItems(request.items, limits);
    try {
      const results = await engine.judge(tasks, within(context, request.timeoutMs));
      return toBatchResponse(batchId, results);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { message, retryAfterMs = 0 } = error;
      const code = error.kind.rpc;
      return create(ProcessBatchResponseSchema, {
        batchId,
        error: create(BatchErrorSchema, { code, message, retryAfterMs }),
      });
    }
  }

  return {
    process: (request, context) =>
      translated(async () => {
        const result = await judgeOne(readTask(request, { render: true, limits }), context);
        return toProcessResponse(result, engine.version());
      }),

    processBatch: (request, context) =>
      translated(async () => {
        const batchId = readBatchId(request.batchId);
        const tasks = readItems(request.items, limits);
        const results = await engine.judge(tasks, within(context, request.timeoutMs));
        return toBatchResponse(batchId, results);
      }),

    processStream: async function* (requests, context) {
      try {
        yield* answerAsReady(requests, {
          answer: (request) => answerBatch(request, context),
          atOnceMax: options.streamBatchesMax,
          until: options.draining,
        });
      } catch (error) {
        throw toConnectError(error);
      }
    },

    check: (request, context) =>
      translated(async () => {
        const result = await judgeOne(readTask(request, { render: false, limits }), context);
        return toCheckResponse(result, engine.version());
      }),

    render: (request, context) =>
      translated(async () => toRenderResponse(await judgeOne(readRenderTask(request.text, limits), context))),

    learn: (request) =>
      translated(async () => {
        const accepted = await options.learn(readExamples(request, limits));
        return create(LearnResponseSchema, { accepted });
      }),
  };
}
