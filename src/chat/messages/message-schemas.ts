/** Schemas of the message routes and frames. The message itself: state/message-shape.ts; a draft: state/message-draft.ts. */
import { Type } from 'typebox';
import { exactly, named, Time, Uuid } from '../../http/input/schemas.ts';
import { MessageText } from '../state/message-draft.ts';
import { MessageShape } from '../state/message-shape.ts';

/** A message that got no verdict in time: stored, without a seq yet. */
export const PendingShape = named(
  'PendingMessage',
  Type.Object({
    id: Uuid,
    roomId: Uuid,
    clientId: Type.String(),
    createdAt: Time,
    pending: Type.Literal(true),
    duplicate: Type.Optional(Type.Boolean()),
  }),
);

export const MessagePage = named(
  'MessagePage',
  Type.Object({
    messages: Type.Array(MessageShape),
    hasMore: Type.Boolean(),
    seq: Type.Integer({
      description:
        'Of the newest event of the room when the page was read. Apply later events to the page; it may hold their effects already',
    }),
  }),
);

/** The answer to a change that is an event of its own. */
export const ChangeSeq = named(
  'ChangeSeq',
  Type.Object({ seq: Type.Integer({ description: 'The seq of the room’s log that holds the change' }) }),
);

export const EditBody = exactly({ text: MessageText });
export const RoomParams = exactly({ roomId: Uuid });
export const MessageParams = exactly({ roomId: Uuid, messageId: Uuid });

export const EditShape = named(
  'MessageEdit',
  Type.Object({ version: Type.Integer(), text: Type.String(), html: Type.String(), at: Time }),
);
