/** Streamed messages over WebSocket; the REST twin is stream-routes.ts. */
import { Type } from 'typebox';
import { ClientId, Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { isOpen } from '../../realtime/socket/connection.ts';
import { SendOrder } from '../messages/send-order.ts';
import type { StreamService } from './stream-service.ts';

/** Bounds what is read at all. The service refuses texts longer than `message.maxLength`. */
export const PieceText = Type.String({ maxLength: 500_000 });

/** In UTF-16 units. Longer than any text may be, and a number that Postgres takes. */
const PieceOffset = Type.Integer({ minimum: 0, maximum: 1_000_000 });

export const StreamFields = {
  clientId: ClientId,
  replyTo: Type.Optional(Uuid),
  threadId: Type.Optional(
    Type.String({ ...Uuid, description: 'A message of the thread, or the message that starts it' }),
  ),
  alsoInRoom: Type.Optional(Type.Boolean({ description: 'With `threadId`: the message is in the room’s history too' })),
};

export function streamFrames(streams: StreamService): FrameHandlers {
  return {
    'message.stream.start': frameHandler({ roomId: Uuid, ...StreamFields }, async ({ connection, caller }, draft) => {
      const origin = { order: new SendOrder(), isOpen: () => isOpen(connection) };
      const { messageId, seq, atMs, duplicate, offset, finished } = await streams.start(caller, draft, origin);
      const createdAt = new Date(atMs).toISOString();
      return {
        messageId,
        seq,
        createdAt,
        ...(duplicate ? { duplicate, offset } : {}),
        ...(finished ? { finished } : {}),
      };
    }),
    'message.stream.append': frameHandler(
      { messageId: Uuid, offset: PieceOffset, text: PieceText },
      async ({ caller }, piece) => ({ ...(await streams.append(caller, piece)) }),
    ),
    'message.stream.finish': frameHandler(
      { messageId: Uuid, text: Type.Optional(PieceText) },
      async ({ caller }, { messageId, text }) => {
        const { seq, duplicate } = await streams.finish(caller, messageId, text);
        return duplicate ? { seq, duplicate } : { seq };
      },
    ),
  };
}
