/** The shapes of rooms over REST. */
import { Type } from 'typebox';
import { exactly, Nullable, named, Seq, Time, Uuid } from '../../http/input/schemas.ts';
import { MemberRoleShape, ReadVersion } from '../state/event-schemas.ts';
import { MessageShape } from '../state/message-shape.ts';

const Visibility = Type.Union([Type.Literal('public'), Type.Literal('private')]);
const History = Type.Union([Type.Literal('all'), Type.Literal('joined')], {
  description:
    'What new members see of the time before they joined: everything (`all`) or nothing (`joined`). For users who have not joined a public room, `joined` hides the history as well',
});

const Pins = Type.Union([Type.Literal('moderators'), Type.Literal('members')], {
  description: 'Who may pin messages. Default: members',
});

export const RoomShape = named(
  'Room',
  Type.Object({
    id: Uuid,
    kind: Type.Union([Type.Literal('room'), Type.Literal('dm')]),
    name: Type.String(),
    topic: Type.String(),
    visibility: Visibility,
    history: History,
    slowModeSeconds: Type.Integer(),
    pins: Pins,
    receipts: Type.Boolean({ description: 'Members see how far others have read. Default: in direct messages only' }),
    seq: Seq,
    memberCount: Type.Integer(),
    createdAt: Time,
  }),
);

/** A room in a list; what depends on the caller's membership is absent in the list of public rooms. */
export const ListedRoomShape = named(
  'ListedRoom',
  Type.Object({
    ...RoomShape.properties,
    role: Type.Optional(MemberRoleShape),
    unread: Type.Optional(Type.Integer()),
    mentions: Type.Optional(Type.Integer()),
    lastReadSeq: Type.Optional(Seq),
    readVersion: Type.Optional(ReadVersion),
    lastMessage: Type.Optional(Nullable(MessageShape)),
  }),
);

export const RoomParams = exactly({ roomId: Uuid });

const roomFields = {
  name: Type.String({ minLength: 1, maxLength: 1000 }),
  topic: Type.String({ maxLength: 10_000 }),
  visibility: Visibility,
  history: History,
  slowModeSeconds: Type.Integer({ minimum: 0, maximum: 86_400 }),
  pins: Pins,
  receipts: Type.Boolean(),
};

export const NewRoomBody = exactly({
  name: roomFields.name,
  visibility: roomFields.visibility,
  topic: Type.Optional(roomFields.topic),
  history: Type.Optional(roomFields.history),
  slowModeSeconds: Type.Optional(roomFields.slowModeSeconds),
  pins: Type.Optional(roomFields.pins),
  receipts: Type.Optional(roomFields.receipts),
  memberIds: Type.Optional(Type.Array(Uuid, { maxItems: 1000 })),
  ownerId: Type.Optional(Type.String({ ...Uuid, description: 'The owner of the room. Only with an API key' })),
});

export const RoomChangesBody = Type.Partial(exactly(roomFields), { additionalProperties: false, minProperties: 1 });
