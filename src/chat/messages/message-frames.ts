/** Messages over WebSocket; the REST twin is message-routes.ts. */
import { Uuid } from '../../http/schemas.ts';
import type { Connection } from '../../realtime/connection.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/frame-handlers.ts';
import { DraftFields, MessageText } from './message-schemas.ts';
import type { MessageService } from './message-service.ts';
import { SendOrder } from './send-order.ts';

export function messageFrames(messages: MessageService): FrameHandlers {
  // A connection's order lives as long as the connection does.
  const orders = new WeakMap<Connection, SendOrder>();
  const orderOf = (connection: Connection): SendOrder => {
    const order = orders.get(connection) ?? new SendOrder();
    orders.set(connection, order);
    return order;
  };

  return {
    'message.send': frameHandler(
      { roomId: Uuid, ...DraftFields },
      async ({ connection, caller }, { roomId, clientId, text, replyTo }) => {
        const { messageId, seq, atMs, duplicate, pending } = await messages.send(
          caller,
          { roomId, clientId, text, replyTo },
          orderOf(connection),
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
