/** The shapes of messages and of their routes and frames. */
import { Type } from 'typebox';
import { ClientId, exactly, Time, Uuid } from '../../http/input/schemas.ts';
import { MessageShape } from '../state/message-shape.ts';

/** Stored, without a place in the room yet: nobody judged it in time. */
export const PendingShape = Type.Object({
  id: Uuid,
  roomId: Uuid,
  clientId: Type.String(),
  createdAt: Time,
  pending: Type.Literal(true),
  duplicate: Type.Optional(Type.Boolean()),
});

export const MessagePage = Type.Object({ messages: Type.Array(MessageShape), hasMore: Type.Boolean() });

/** Longer texts than allowed are told `too_large` by the service; this bounds what is looked at. */
export const MessageText = Type.String({ minLength: 1, maxLength: 500_000 });

/** Of a message, over REST and WebSocket alike. */
export const DraftFields = {
  clientId: ClientId,
  text: MessageText,
  replyTo: Type.Optional(Uuid),
  // Clients that know of attachments say that there are none; any is one too many while nothing can be uploaded.
  attachmentIds: Type.Optional(Type.Array(Uuid, { maxItems: 0, description: 'Empty: there are no uploads' })),
};

export const SendBody = exactly(DraftFields);
export const EditBody = exactly({ text: MessageText });
export const RoomParams = exactly({ roomId: Uuid });
export const MessageParams = exactly({ roomId: Uuid, messageId: Uuid });

export const EditShape = Type.Object({ version: Type.Integer(), text: Type.String(), html: Type.String(), at: Time });
