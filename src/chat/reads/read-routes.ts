/** Read markers over REST and WebSocket, and read receipts. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readIdCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, exactly, listOf, named, PageQuery, Seq, Time, Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { ReadStateFields } from '../state/event-schemas.ts';
import type { ReadService } from './read-service.ts';
import type { ReceiptService } from './receipt-service.ts';

const ReadShape = named('ReadState', Type.Object(ReadStateFields));
const ReceiptShape = named(
  'Receipt',
  Type.Object({
    userId: Uuid,
    lastReadSeq: Seq,
    at: Type.String({ ...Time, description: 'When the marker moved last, or when they joined if it never did' }),
  }),
);
const RoomParams = exactly({ roomId: Uuid });
const tags = ['rooms'];

const readFields = {
  seq: Seq,
  known: Type.Optional(
    Type.Integer({
      ...Seq,
      description:
        'The `lastReadSeq` that the device knows. If the marker is behind it, another device has marked the room as unread since, and the request changes nothing',
    }),
  ),
};
const UnreadFrom = Type.Integer({ ...Seq, description: 'The first message that is unread from now on' });

interface Options {
  readonly reads: ReadService;
  readonly receipts: ReceiptService;
  readonly authenticator: Authenticator;
}

export const readRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { reads, receipts, authenticator }) => {
  app.put(
    '/rooms/:roomId/read',
    {
      schema: {
        tags,
        operationId: 'markRoomRead',
        summary: 'Mark a room as read up to a seq',
        description: 'Moves the caller’s marker forward, never back. All devices of the caller get `read.updated`.',
        params: RoomParams,
        body: exactly(readFields),
        response: answers(200, ReadShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      return reads.markRead(caller, request.params.roomId, request.body.seq, request.body.known);
    },
  );

  app.put(
    '/rooms/:roomId/unread',
    {
      schema: {
        tags,
        operationId: 'markRoomUnread',
        summary: 'Mark a room as unread from a seq on',
        description:
          'Moves the caller’s marker back to the seq before, but not to before they joined, and never forward. All devices of the caller get `read.updated`.',
        params: RoomParams,
        body: exactly({ seq: UnreadFrom }),
        response: answers(200, ReadShape),
      },
    },
    async (request) =>
      reads.markUnread(await authenticator.fromRequest(request), request.params.roomId, request.body.seq),
  );

  app.get(
    '/rooms/:roomId/receipts',
    {
      schema: {
        tags,
        operationId: 'listReceipts',
        summary: 'List how far the members of a room have read',
        description:
          '`forbidden` where the setting `receipts` of the room is off. People who block the caller or are blocked by the caller are left out.',
        params: RoomParams,
        querystring: PageQuery,
        response: answers(200, listOf(ReceiptShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const found = await receipts.list(caller, request.params.roomId, readIdCursor(cursor), limit + 1);
      return toPage(found, limit, (receipt) => writeCursor([receipt.userId]));
    },
  );
};

export function readFrames(reads: ReadService): FrameHandlers {
  return {
    read: frameHandler({ roomId: Uuid, ...readFields }, async ({ caller }, { roomId, seq, known }) => ({
      ...(await reads.markRead(caller, roomId, seq, known)),
    })),
    unread: frameHandler({ roomId: Uuid, seq: UnreadFrom }, async ({ caller }, { roomId, seq }) => ({
      ...(await reads.markUnread(caller, roomId, seq)),
    })),
  };
}
