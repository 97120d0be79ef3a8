/** Uploading over REST. In a plugin of its own, because multipart bodies are for this route alone. */
import multipart, { type MultipartFile } from '@fastify/multipart';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Failure, invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers } from '../../http/input/schemas.ts';
import { lingerOnClose } from '../../http/server/lingering-close.ts';
import { requireDeployment } from '../../permissions.ts';
import { type Attachment, AttachmentShape } from '../state/message-extras.ts';
import { tooLarge } from './store/spool.ts';
import type { UploadService } from './upload-service.ts';

export interface UploadRouteOptions {
  readonly uploads: UploadService;
  readonly find: (id: string) => Promise<Attachment>;
  readonly authenticator: Authenticator;
  /** @throws Failure `rate_limited` */
  readonly countUpload: (userId: string) => Promise<void>;
  readonly settings: {
    readonly maxBytes: number;
    /** Milliseconds. */
    readonly timeout: number;
  };
}

/** Boundaries and part headers around the file. */
const framingBytes = 64 * 1024;
/** What a client sends until it has read that it is refused. */
const lingering = { bytesMax: 16 * 1024 * 1024, timeMax: 2000 };

export const uploadRoutes: FastifyPluginAsyncTypebox<UploadRouteOptions> = async (app, options) => {
  const { settings, uploads, authenticator } = options;
  await app.register(multipart, {
    throwFileSizeLimit: false,
    // One byte more than allowed, so that a file of exactly the allowed size is told from a longer one.
    limits: { fileSize: settings.maxBytes + 1, files: 1, fields: 0, parts: 2, headerPairs: 20, fieldNameSize: 100 },
  });
  app.post(
    '/uploads',
    {
      handlerTimeout: settings.timeout,
      config: { bodyTimeoutMs: settings.timeout },
      schema: {
        tags: ['attachments'],
        summary: 'Upload a file',
        operationId: 'uploadFile',
        description:
          'A `multipart/form-data` body with one part, `file`. The answer’s `id` goes into `attachmentIds` of a message. A file that no message names is deleted after `uploads.orphanLifetime`. Pictures are turned upright and lose their metadata.',
        consumes: ['multipart/form-data'],
        response: answers(201, AttachmentShape),
      },
    },
    async (request, reply) => {
      const id = await receive(request).catch((error: unknown) => {
        lingerOnClose(request.raw, lingering);
        throw error;
      });
      return reply.code(201).send(await options.find(id));
    },
  );

  async function receive(request: FastifyRequest): Promise<string> {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'chat');
    const { userId, kind } = caller;
    if (kind === 'server') throw new Failure('forbidden', 'files belong to users');
    const length = Number(request.headers['content-length'] ?? Number.NaN);
    // Refused before the first byte: a client that asks with `Expect: 100-continue` sends nothing.
    if (length > settings.maxBytes + framingBytes) throw tooLarge(settings.maxBytes);
    await options.countUpload(userId);
    const leave = await uploads.enter();
    try {
      const part = await firstPart(request);
      const file = { name: part.filename, body: part.file };
      return await uploads.receive(userId, file, Number.isNaN(length) ? settings.maxBytes : length);
    } finally {
      leave();
    }
  }
};

async function firstPart(request: FastifyRequest): Promise<MultipartFile> {
  if (!request.isMultipart()) throw new Failure('unsupported_media_type', 'the body must be multipart/form-data');
  const part = await request.file().catch((error: unknown) => {
    throw new Failure('invalid', 'not a multipart body', { cause: error });
  });
  if (part?.fieldname !== 'file') throw invalid('/file', 'the body must have one part, a file with this name');
  return part;
}
