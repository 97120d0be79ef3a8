/** Pins over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, listOf, PageQuery } from '../../http/input/schemas.ts';
import { ChangeSeq, MessageParams, RoomParams } from '../messages/message-schemas.ts';
import { MessageShape } from '../state/message-shape.ts';
import type { PinService } from './pin-service.ts';

interface Options {
  pins: PinService;
  authenticator: Authenticator;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

const tags = ['messages'];
const pinPath = '/rooms/:roomId/messages/:messageId/pin';

export const pinRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  addChangeRoutes(app, options);
  addListRoute(app, options);
};

function addChangeRoutes(app: App, { pins, authenticator }: Options): void {
  app.put(
    pinPath,
    {
      schema: {
        tags,
        operationId: 'pinMessage',
        summary: 'Pin a message',
        description:
          'Members, or moderators alone if the room’s setting `pins` says so. A message that is pinned stays pinned. 409: the room has as many pins as it may have (`room.pinsMax`).',
        params: MessageParams,
        response: answers(200, ChangeSeq),
      },
    },
    async (request) => pins.pin(await authenticator.fromRequest(request), request.params),
  );

  app.delete(
    pinPath,
    {
      schema: {
        tags,
        operationId: 'unpinMessage',
        summary: 'Unpin a message',
        description: 'A message that is not pinned is no error: the answer is the newest seq of the room.',
        params: MessageParams,
        response: answers(200, ChangeSeq),
      },
    },
    async (request) => pins.unpin(await authenticator.fromRequest(request), request.params),
  );
}

function addListRoute(app: App, { pins, authenticator }: Options): void {
  app.get(
    '/rooms/:roomId/pins',
    {
      schema: {
        tags,
        operationId: 'listPins',
        summary: 'List the pinned messages of a room, the newest pin first',
        description: 'Without deleted messages, and without those before the history that the caller may read.',
        params: RoomParams,
        querystring: PageQuery,
        response: answers(200, listOf(MessageShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : readCursor(cursor, ['number'])[0];
      const found = await pins.list(caller, request.params.roomId, { before, limit: limit + 1 });
      const { items, nextCursor } = toPage(found, limit, ({ pinnedSeq }) => writeCursor([pinnedSeq]));
      return { items: items.map(({ message }) => message), nextCursor };
    },
  );
}
