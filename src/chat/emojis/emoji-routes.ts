/** Custom emoji over REST. */
import { createHash } from 'node:crypto';
import multipart from '@fastify/multipart';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, exactly, listOf, PageQuery, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { formLimits, readEmojiForm } from './emoji-form.ts';
import { EmojiName, EmojiParams, EmojiShape } from './emoji-schemas.ts';
import type { EmojiService } from './emoji-service.ts';

interface Options {
  emojis: EmojiService;
  authenticator: Authenticator;
  /** Bytes of a picture. */
  imageBytes: number;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

const tags = ['emojis'];
/** One day: the URL in the list changes with the picture. */
const imageMaxAgeSeconds = 86_400;

export const emojiRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  // In this scope alone: other routes read forms with limits of their own.
  await app.register(multipart, { limits: formLimits(options.imageBytes) });
  addListRoute(app, options);
  addChangeRoutes(app, options);
  addImageRoute(app, options);
};

function addListRoute(app: App, { emojis, authenticator }: Options): void {
  app.get(
    '/emojis',
    {
      schema: {
        tags,
        operationId: 'listEmojis',
        summary: 'List the custom emoji, by name',
        description: 'With `If-None-Match` and the `ETag` of an earlier response: 304 if nothing has changed.',
        querystring: PageQuery,
        response: { ...answers(304, Type.Null()), 200: listOf(EmojiShape) },
      },
    },
    async (request, reply) => {
      await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const after = cursor === undefined ? '' : readCursor(cursor, ['string'])[0];
      const page = toPage(await emojis.list(after, limit + 1), limit, ({ name }) => writeCursor([name]));
      const etag = `"${createHash('sha256').update(JSON.stringify(page)).digest('base64url')}"`;
      void reply.headers({ etag, 'cache-control': 'private, no-cache' });
      return isUnchanged(request, etag) ? notModified(reply) : reply.send(page);
    },
  );
}

function addChangeRoutes(app: App, { emojis, authenticator }: Options): void {
  app.post(
    '/emojis',
    {
      schema: {
        tags,
        operationId: 'createEmoji',
        summary: 'Add a custom emoji',
        description:
          'Moderators of the deployment only. A PNG, GIF, WebP or JPEG picture, told by its content. 200: the name has this picture already. 409: it has another one, or there are as many emoji as there may be.',
        consumes: ['multipart/form-data'],
        body: Type.Object({ name: EmojiName, file: Type.String({ format: 'binary', description: 'The picture' }) }),
        response: { ...answers(201, EmojiShape), 200: EmojiShape },
      },
      // The body is a form, which `readEmojiForm` checks.
      validatorCompiler: () => () => true,
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'moderate');
      const { emoji, isNew } = await emojis.create(caller, await readEmojiForm(request));
      return reply.code(isNew ? 201 : 200).send(emoji);
    },
  );

  app.delete(
    '/emojis/:name',
    {
      schema: {
        tags,
        operationId: 'deleteEmoji',
        summary: 'Delete a custom emoji',
        description: 'Moderators of the deployment only. Reactions with it stay, as its text.',
        params: EmojiParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'moderate');
      await emojis.remove(caller, request.params.name);
      return reply.code(204).send(null);
    },
  );
}

function addImageRoute(app: App, { emojis }: Options): void {
  app.get(
    '/emojis/:name/image',
    {
      schema: {
        tags,
        operationId: 'getEmojiImage',
        summary: 'Get the picture of a custom emoji',
        description: 'Needs no login, so that `<img>` works everywhere.',
        params: EmojiParams,
        querystring: exactly({ v: Type.Optional(Type.String({ ...Uuid, description: 'The id of the emoji' })) }),
        response: {
          ...answers(304, Type.Null()),
          200: {
            description: 'The picture, as it was added',
            content: { 'image/*': { schema: Type.String({ format: 'binary' }) } },
          },
        },
      },
      // Pages of other sites that embed Parley show it too.
      onSend: async (_request, reply) => void reply.header('cross-origin-resource-policy', 'cross-origin'),
    },
    async (request, reply) => {
      const { id, type, image } = await emojis.image(request.params.name);
      const etag = `"${id}"`;
      void reply.headers({ etag, 'cache-control': `public, max-age=${imageMaxAgeSeconds}` });
      return isUnchanged(request, etag) ? notModified(reply) : reply.type(type).send(image as never);
    },
  );
}

function notModified(reply: FastifyReply): never {
  return reply.code(304).send() as never;
}

function isUnchanged({ headers }: FastifyRequest, etag: string): boolean {
  return headers['if-none-match']?.split(',').some((each) => each.trim().replace(/^W\//, '') === etag) ?? false;
}
