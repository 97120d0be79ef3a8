/** Fetching files over REST, with a login or a signed link. */
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { exactly, Problem, Uuid } from '../../http/input/schemas.ts';
import type { AttachmentAccess } from './attachment-access.ts';
import type { FetchableFile } from './attachment-repository.ts';
import { matchesTag, readRange } from './byte-ranges.ts';
import { contentDisposition, withExtension } from './file-name.ts';
import type { FileLinks, FileVariant, SignedQuery } from './links/file-links.ts';
import { type ByteRange, type FileStore, thumbnailKey } from './store/file-store.ts';

export interface AttachmentRouteOptions {
  readonly access: AttachmentAccess;
  readonly links: FileLinks;
  readonly store: FileStore;
  readonly authenticator: Authenticator;
  readonly onDownload: (bytes: number) => void;
  readonly settings: {
    /** Milliseconds. */
    readonly timeout: number;
    readonly idleTimeout: number;
  };
}

/** Types that browsers show without running anything. Pictures of these types were encoded here. */
const inlineTypes = new Set([
  ...['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'application/pdf'],
  ...['video/mp4', 'video/webm', 'audio/mpeg', 'audio/ogg', 'video/ogg', 'audio/webm'],
]);

/** A file opened in a tab may show itself and nothing else: no scripts, no requests, an origin of its own. */
const contentPolicy =
  "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

const FileParams = exactly({ id: Uuid });
const LinkQuery = exactly({
  expires: Type.Optional(Type.Integer({ minimum: 0, description: 'Of a signed link: seconds since 1970' })),
  signature: Type.Optional(Type.String({ maxLength: 100, pattern: '^[\\w-]*$' })),
});
const content = { '*/*': { schema: Type.String({ format: 'binary' }) } };
const problem = {
  description: 'RFC 9457 problem details',
  content: { 'application/problem+json': { schema: Problem } },
};
const fileAnswers = {
  200: { description: 'The file', content },
  206: { description: 'The part of it that `Range` asks for', content },
  304: Type.Null({ description: 'The client has it: `If-None-Match`' }),
  416: Type.Null({ description: 'It is shorter than `Range`' }),
  '4xx': problem,
  '5xx': problem,
};
const description =
  'With a login that may read a message that shows the file, or by the signed URL of the attachment. Answers `Range`, `If-Range` and `If-None-Match`. Pictures, videos, audio and PDF are shown in the browser; everything else is downloaded.';

/** What is sent: the file or its thumbnail. */
interface Served {
  readonly key: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

export const attachmentRoutes: FastifyPluginAsyncTypebox<AttachmentRouteOptions> = async (app, options) => {
  const handlerTimeout = options.settings.timeout;
  const security: Record<string, string[]>[] = [{ bearer: [] }, {}];
  const shared = { tags: ['attachments'], description, params: FileParams, querystring: LinkQuery, security };
  app.get(
    '/attachments/:id',
    {
      handlerTimeout,
      config: { scope: 'messages:read' },
      schema: { ...shared, summary: 'Get a file', operationId: 'getAttachment', response: fileAnswers },
    },
    async (request, reply) => serve(request, reply, { ...request.params, ...request.query, variant: 'file' }, options),
  );
  app.get(
    '/attachments/:id/thumbnail',
    {
      handlerTimeout,
      config: { scope: 'messages:read' },
      schema: {
        ...{ ...shared, summary: 'Get the thumbnail of a picture', operationId: 'getAttachmentThumbnail' },
        response: fileAnswers,
      },
    },
    async (request, reply) =>
      serve(request, reply, { ...request.params, ...request.query, variant: 'thumbnail' }, options),
  );
};

interface Wanted extends SignedQuery {
  readonly id: string;
  readonly variant: FileVariant;
}

async function serve(
  request: FastifyRequest,
  reply: FastifyReply,
  wanted: Wanted,
  options: AttachmentRouteOptions,
): Promise<never> {
  const served = toServed(await findFile(request, wanted, options), wanted.variant);
  if (!served) throw new Failure('not_found', 'this file has no thumbnail');
  const tag = `"${served.key}"`;
  setHeaders(reply, served, tag);
  if (matchesTag(request.headers['if-none-match'], tag)) return reply.code(304).send() as never;
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === tag ? readRange(request.headers.range, served.size) : 'all';
  if (range === 'unsatisfiable')
    return reply.code(416).header('content-range', `bytes */${served.size}`).send() as never;
  return send(request, reply, served, range === 'all' ? undefined : range, options);
}

/** A valid link is enough; otherwise the login decides. */
async function findFile(
  request: FastifyRequest,
  { id, variant, ...query }: Wanted,
  { access, links, authenticator }: AttachmentRouteOptions,
): Promise<FetchableFile> {
  const link = links.check(id, variant, query);
  if (link === 'valid') return access.findByLink(id);
  if (link === 'expired' && !authenticator.hasLogin(request))
    throw new Failure('forbidden', 'this link has expired: read the message again for a new one');
  return access.findFor(await authenticator.fromRequest(request), id);
}

function toServed(file: FetchableFile, variant: FileVariant): Served | undefined {
  const { fileId, name, type, size, thumbnailType, thumbnailSize } = file;
  if (variant === 'file') return { key: fileId, name, type, size };
  if (thumbnailType === null || thumbnailSize === null) return undefined;
  return { key: thumbnailKey(fileId), name: withExtension(name, 'webp'), type: thumbnailType, size: thumbnailSize };
}

function setHeaders(reply: FastifyReply, { name, type }: Served, tag: string): void {
  const isInline = inlineTypes.has(type);
  void reply.headers({
    'content-type': type === 'text/plain' ? 'text/plain; charset=utf-8' : type,
    'content-disposition': contentDisposition(isInline ? 'inline' : 'attachment', name),
    'content-security-policy': contentPolicy,
    'x-content-type-options': 'nosniff',
    // A page that embeds Parley from another site shows pictures too. What may be fetched at all is decided above.
    'cross-origin-resource-policy': 'cross-origin',
    'accept-ranges': 'bytes',
    etag: tag,
    // Browsers keep the bytes and ask each time whether they may still show them.
    'cache-control': 'private, no-cache',
  });
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { key, size }: Served,
  range: ByteRange | undefined,
  { store, onDownload, settings }: AttachmentRouteOptions,
): Promise<never> {
  const length = range ? range.end - range.start + 1 : size;
  if (range) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`);
  void reply.header('content-length', String(length));
  // As a stream, so that Fastify leaves the length of HEAD as it is.
  if (request.method === 'HEAD' || length === 0) return reply.send(Readable.from([])) as never;
  const bytes = await store.open(key, range);
  // A reader that stops reading must not hold the file for ever. Node sets the time for an idle connection at the end.
  request.raw.socket.setTimeout(settings.idleTimeout);
  onDownload(length);
  return reply.send(bytes) as never;
}
