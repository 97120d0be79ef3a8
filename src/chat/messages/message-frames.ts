/** Messages over WebSocket; the REST twin is message-routes.ts. */
import { Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { type Connection, isOpen } from '../../realtime/socket/connection.ts';
import { DraftFields, MessageText } from './message-schemas.ts';
import type { MessageService } from './message-service.ts';
import type { Origin } from './send-admission.ts';
import { SendOrder } from './send-order.ts';

export function messageFrames(messages: MessageService): FrameHandlers {
  // A connection's order lives as long as the connection does.
  const origins = new WeakMap<Connection, Origin>();
  const originOf = (connection: Connection): Origin => {
    const origin = origins.get(connection) ?? { order: new SendOrder(), isOpen: () => isOpen(connection) };
    origins.set(connection, origin);
    return origin;
  };

  return {
    'message.send': frameHandler(
      { roomId: Uuid, ...DraftFields },
      async ({ connection, caller }, { roomId, clientId, text, replyTo }) => {
        const { messageId, seq, atMs, duplicate, pending } = await messages.send(
          caller,
          { roomId, clientId, text, replyTo },
          originOf(connection),
        );
        const createdAt = new Date(atMs).toISOString();
        return { messageId, ...(pending ? { pending } : { seq }), createdAt, ...(duplicate ? { duplicate } : {}) };
      },
    ),
    'message.edit': frameHandler(
      { roomId: Uuid, messageId: Uuid, text: MessageText },
      ({ caller }, { roomId, messageId, text }) => messages.edit(caller, roomId, messageId, text),
    ),
    'message.delete': frameHandler({ roomId: Uuid, messageId: Uuid }, ({ caller }, { roomId, messageId }) =>
      messages.remove(caller, roomId, messageId),
    ),
  };
}
