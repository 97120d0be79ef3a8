/** Messages over WebSocket; the REST twin is message-routes.ts. */
import { Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { type Connection, isOpen } from '../../realtime/socket/connection.ts';
import { DraftFields, MessageText } from '../state/message-draft.ts';
import type { MessageService } from './message-service.ts';
import type { Origin } from './send-admission.ts';
import { SendOrder } from './send-order.ts';

export function messageFrames(messages: MessageService): FrameHandlers {
  /** The order of a connection's sends lives as long as the connection. */
  const origins = new WeakMap<Connection, Origin>();
  const originOf = (connection: Connection): Origin => {
    const origin = origins.get(connection) ?? { order: new SendOrder(), isOpen: () => isOpen(connection) };
    origins.set(connection, origin);
    return origin;
  };

  return {
    'message.send': frameHandler({ roomId: Uuid, ...DraftFields }, async ({ connection, caller }, draft) => {
      const outcome = await messages.send(caller, draft, originOf(connection));
      const { messageId, seq, atMs, duplicate, pending } = outcome;
      const createdAt = new Date(atMs).toISOString();
      return { messageId, ...(pending ? { pending } : { seq }), createdAt, ...(duplicate ? { duplicate } : {}) };
    }),
    'message.edit': frameHandler(
      { roomId: Uuid, messageId: Uuid, text: MessageText },
      ({ caller }, { roomId, messageId, text }) => messages.edit(caller, roomId, messageId, text),
    ),
    'message.delete': frameHandler({ roomId: Uuid, messageId: Uuid }, ({ caller }, { roomId, messageId }) =>
      messages.remove(caller, roomId, messageId),
    ),
  };
}
