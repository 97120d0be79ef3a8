/** Read markers over REST and WebSocket. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, named, Seq, Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import type { ReadService } from './read-service.ts';

const ReadShape = named(
  'ReadState',
  Type.Object({ lastReadSeq: Seq, unread: Type.Integer(), mentions: Type.Integer() }),
);

export const readRoutes: FastifyPluginAsyncTypebox<{ reads: ReadService; authenticator: Authenticator }> = async (
  app,
  { reads, authenticator },
) => {
  app.put(
    '/rooms/:roomId/read',
    {
      schema: {
        tags: ['rooms'],
        operationId: 'markRoomRead',
        summary: 'Mark a room as read up to a seq',
        description: 'The marker moves forward only. Every device of the caller gets `read.updated`.',
        params: exactly({ roomId: Uuid }),
        body: exactly({ seq: Seq }),
        response: answers(200, ReadShape),
      },
    },
    async (request) =>
      reads.markRead(await authenticator.fromRequest(request), request.params.roomId, request.body.seq),
  );
};

export function readFrames(reads: ReadService): FrameHandlers {
  return {
    read: frameHandler({ roomId: Uuid, seq: Seq }, async ({ caller }, { roomId, seq }) => ({
      ...(await reads.markRead(caller, roomId, seq)),
    })),
  };
}
