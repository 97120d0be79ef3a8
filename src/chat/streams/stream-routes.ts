/** Streamed messages over REST: the pieces of one message are the body of one request. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { clientGone, Failure } from '../../errors.ts';
import { type Authenticator, type Caller, isCallerThere } from '../../http/caller/caller.ts';
import { answers, exactly, Uuid } from '../../http/input/schemas.ts';
import { SendOrder } from '../messages/send-order.ts';
import { type Message, MessageShape } from '../state/message-shape.ts';
import type { Actor } from '../state/room-state.ts';
import { createPieceReader, type PieceFormat, pieceFormats } from './piece-reader.ts';
import { StreamFields } from './stream-frames.ts';
import type { StreamService } from './stream-service.ts';

export interface StreamRouteOptions {
  readonly streams: StreamService;
  readonly findStored: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  readonly findRepeated: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  readonly authenticator: Authenticator;
  readonly settings: {
    /** Longest request. */
    readonly lifetimeMs: number;
    /** Code points. */
    readonly maxLength: number;
  };
}

const formats = Object.keys(pieceFormats) as PieceFormat[];

/** A login that has ended writes for no longer than this. */
const proofEveryMs = 1000;

export const streamRoutes: FastifyPluginAsyncTypebox<StreamRouteOptions> = async (app, options) => {
  const { streams, authenticator, settings } = options;
  // The handler reads the body itself, piece by piece.
  app.addContentTypeParser(formats, (_request, _body, done) => done(null, undefined));

  app.post(
    '/rooms/:roomId/messages/stream',
    {
      handlerTimeout: settings.lifetimeMs,
      config: { bodyTimeoutMs: settings.lifetimeMs },
      schema: {
        tags: ['messages'],
        summary: 'Write a message word by word',
        description:
          'The body is a stream of pieces: NDJSON lines `{"text":"…"}`, or an event stream with `data: {"text":"…"}` and `data: [DONE]` at the end. Readers get `message.created` with `streaming:true`, then `message.delta` frames with text that was judged. The end of the body finishes the message; a last line `{"finish":{"text":"…"}}` puts another text in place of the pieces. A body that breaks off leaves the message open for `message.streamIdle`: the same request again goes on where it broke off. A repeat of a request that was answered gets the first answer.',
        operationId: 'streamMessage',
        consumes: formats,
        params: exactly({ roomId: Uuid }),
        querystring: exactly(StreamFields),
        response: answers(200, MessageShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const format = requireFormat(request);
      const { roomId } = request.params;
      const origin = { order: new SendOrder(), isOpen: () => isCallerThere(request) };
      const { messageId, finished } = await streams.start(caller, { ...request.query, roomId }, origin);
      if (finished) return { ...(await options.findRepeated(caller, roomId, messageId)), duplicate: true };
      // A JSON string takes at most six characters for one.
      const reader = createPieceReader(format, settings.maxLength * 12 + 100);
      const prove = createProof(() => authenticator.fromRequest(request));
      const final = await appendAll(request, { caller, messageId, streams, reader, prove });
      await authenticator.fromRequest(request);
      await streams.finish(caller, messageId, final);
      return options.findStored(caller, roomId, messageId);
    },
  );
};

/** Checks the login now and then: it may end while the body goes on. */
function createProof(check: () => Promise<unknown>): () => Promise<void> {
  let checkedMs = performance.now();
  return async () => {
    if (performance.now() - checkedMs < proofEveryMs) return;
    await check();
    checkedMs = performance.now();
  };
}

function requireFormat({ headers }: FastifyRequest): PieceFormat {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const format = formats.find((each) => each === type);
  if (!format) throw new Failure('unsupported_media_type', `the body must be one of ${formats.join(', ')}`);
  return format;
}

/** Appends what arrives, and reads no further meanwhile. @returns the text that the body puts in place of its pieces */
async function appendAll(
  request: FastifyRequest,
  {
    caller,
    messageId,
    streams,
    reader,
    prove,
  }: {
    readonly caller: Caller;
    readonly messageId: string;
    readonly streams: StreamService;
    readonly reader: ReturnType<typeof createPieceReader>;
    /** Fails once the login has ended. */
    readonly prove: () => Promise<void>;
  },
): Promise<string | undefined> {
  let offset = 0;
  async function append(text: string): Promise<void> {
    if (text === '') return;
    await prove();
    // A repeated request begins at the start: what was received before changes nothing.
    await streams.append(caller, { messageId, offset, text });
    offset += text.length;
  }

  for await (const chunk of bodyOf(request)) {
    const { text, finish } = reader.push(chunk);
    await append(text);
    if (finish) return finish.text;
  }
  const { text, finish } = reader.end();
  await append(text);
  return finish?.text;
}

/** @throws Failure `unavailable` when the body breaks off: the message stays open */
async function* bodyOf({ raw }: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of raw) yield chunk as Uint8Array;
  } catch (error) {
    if (raw.destroyed && !raw.complete) throw clientGone();
    throw error;
  }
}
