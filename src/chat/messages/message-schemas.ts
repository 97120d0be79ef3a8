/** The shapes of messages and of their routes and frames. */
import { Type } from 'typebox';
import { ClientId, exactly, Nullable, PublicUser, Seq, Time, Uuid } from '../../http/schemas.ts';

export const MessageShape = Type.Object({
  id: Uuid,
  roomId: Uuid,
  seq: Seq,
  sender: PublicUser,
  text: Type.String({ description: 'Markdown source' }),
  html: Type.String({
    description:
      'The same, rendered to safe HTML. `span.mention` marks members of the room; other names are plain text. A line that ends within an element is a plain newline; `withLineBreaks` of the client makes it a `<br>`',
  }),
  mentions: Type.Array(Uuid),
  replyTo: Nullable(Uuid),
  replyCount: Type.Integer(),
  attachments: Type.Array(Type.Unknown()),
  reactions: Type.Array(Type.Unknown()),
  pinned: Type.Boolean(),
  clientId: Nullable(Type.String()),
  createdAt: Time,
  editedAt: Nullable(Time),
  deletedAt: Nullable(Time),
  duplicate: Type.Optional(Type.Boolean({ description: 'This clientId had been used: the first message is repeated' })),
});

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
