/** The frames that the server sends about rooms and people: the one source of the AsyncAPI document. */
import { Type } from 'typebox';
import { Nullable, named, PublicUser, Seq, Time, Uuid } from '../../http/input/schemas.ts';
import { PollShape, ThreadShape } from './message-extras.ts';
import { MessageShape } from './message-shape.ts';

export const MemberRoleShape = Type.Union([Type.Literal('owner'), Type.Literal('moderator'), Type.Literal('member')]);
const ByWhom = { by: Uuid };
const OfMessage = { messageId: Uuid };
const ThreadAfter = Type.Optional(
  Type.Object(
    { ...ThreadShape.properties, threadId: Uuid },
    { description: 'The summary of the thread that the message is in, after the event' },
  ),
);
const ReactionData = Type.Object({ ...OfMessage, emoji: Type.String(), userId: Uuid });
const MemberData = Type.Object(
  { user: PublicUser, role: MemberRoleShape, by: Type.Optional(Uuid), mutedUntil: Type.Optional(Nullable(Time)) },
  { additionalProperties: true },
);
const RoomSettings = Type.Object({ id: Uuid, name: Type.String() }, { additionalProperties: true });

export const MessageSeq = Type.Optional(
  Type.Integer({
    description: 'Of the earlier message that the event is about, in rooms whose history begins with joining',
  }),
);

/** `data` of each durable event. Every member gets them in the order of their seq, live or by resume. */
export const durableEvents = {
  'message.created': { data: Type.Object({ message: MessageShape }), text: 'A message was sent' },
  'message.updated': {
    data: Type.Object({ message: MessageShape, thread: ThreadAfter }),
    text: 'A message was edited, restored or rendered again, or got previews. It replaces the one before',
  },
  'message.deleted': {
    data: Type.Object({ ...OfMessage, ...ByWhom, threadId: Type.Optional(Uuid), thread: ThreadAfter }),
    text: 'A message was deleted, or removed by a moderator',
  },
  'message.hidden': {
    data: Type.Object({}),
    text: 'Something happened to a message from before the user joined, in a room whose history begins with joining',
  },
  'reaction.added': { data: ReactionData, text: 'A user reacted to a message' },
  'reaction.removed': { data: ReactionData, text: 'A user took a reaction back' },
  'message.pinned': { data: Type.Object({ ...OfMessage, ...ByWhom }), text: 'A message was pinned' },
  'message.unpinned': { data: Type.Object({ ...OfMessage, ...ByWhom }), text: 'A message was unpinned' },
  'poll.updated': {
    data: Type.Object({ ...OfMessage, poll: PollShape }),
    text: 'Votes came in, or the poll was closed. The poll replaces the one before',
  },
  'member.joined': { data: MemberData, text: 'A user became a member' },
  'member.updated': { data: MemberData, text: 'The role of a member changed, or they were muted' },
  'member.left': {
    data: Type.Object({
      userId: Uuid,
      by: Type.Optional(Uuid),
      reason: Type.Union([
        Type.Literal('left'),
        Type.Literal('removed'),
        Type.Literal('banned'),
        Type.Literal('deleted'),
      ]),
    }),
    text: 'A membership ended',
  },
  'room.updated': { data: Type.Object({ room: RoomSettings, ...ByWhom }), text: 'The settings of the room changed' },
  'room.deleted': { data: Type.Object(ByWhom), text: 'The room was deleted' },
} as const;

export const ReadVersion = Type.Integer({
  minimum: 0,
  description:
    'Of two answers about the counts of a room, the one with the lower `readVersion` is older; of two with the same one, the one with the lower `seq`',
});
/** What a user has read of a room. */
export const ReadStateFields = {
  lastReadSeq: Seq,
  unread: Type.Integer(),
  mentions: Type.Integer(),
  seq: Type.Integer({ ...Seq, description: 'The head of the room: the counts contain the events up to it' }),
  readVersion: ReadVersion,
};
const Anything = Type.Record(Type.String(), Type.Unknown());

/** Frames without a seq: they are not repeated by a resume. */
export const ephemeralFrames = {
  typing: {
    fields: {
      roomId: Uuid,
      data: Type.Object({ userId: Uuid, active: Type.Boolean(), threadId: Type.Optional(Uuid) }),
    },
    text: 'A user is writing, or has stopped',
  },
  presence: {
    fields: { data: Type.Object({ userId: Uuid, status: Type.String() }, { additionalProperties: true }) },
    text: 'The presence of a watched user changed',
  },
  'read.updated': {
    fields: { roomId: Uuid, data: Type.Object({ userId: Uuid, ...ReadStateFields }) },
    text: 'The user has read, or marked unread, on another device',
  },
  'block.updated': {
    fields: { data: Type.Object({ userId: Uuid, blocked: Type.Boolean() }) },
    text: 'The user has blocked or unblocked somebody. Mentions of everybody by blocked users do not count: read the rooms again',
  },
  'receipt.updated': {
    fields: { roomId: Uuid, data: Type.Object({ userId: Uuid, lastReadSeq: Seq }, { additionalProperties: true }) },
    text: 'A member has read further',
  },
  'thread.updated': { fields: { roomId: Uuid, data: Anything }, text: 'The user’s own read state of a thread changed' },
  'draft.updated': { fields: { roomId: Uuid, data: Anything }, text: 'A draft was saved on another device' },
  'bookmark.updated': { fields: { roomId: Uuid, data: Anything }, text: 'A bookmark was changed on another device' },
  'bookmark.reminder': { fields: { roomId: Uuid, data: Anything }, text: 'The reminder of a bookmark is due' },
  'scheduled.updated': {
    fields: { roomId: Uuid, data: Anything },
    text: 'A scheduled message was changed, sent or refused',
  },
  'scheduled.removed': { fields: { roomId: Uuid, data: Anything }, text: 'A scheduled message was cancelled' },
  'message.delta': {
    fields: {
      roomId: Uuid,
      data: Type.Object(
        { ...OfMessage, offset: Type.Integer({ description: 'UTF-16 units' }), text: Type.String() },
        { additionalProperties: true },
      ),
    },
    text: 'A message that is being written has grown',
  },
  'room.joined': {
    fields: { roomId: Uuid, data: Type.Object({ room: RoomSettings }) },
    text: 'The user became a member',
  },
  'room.left': {
    fields: { roomId: Uuid, data: Type.Object({ reason: Type.String(), lastSeq: Seq }) },
    text: 'The user’s membership ended. No event of the room follows',
  },
  'room.reset': {
    fields: { roomId: Uuid, seq: Seq },
    text: 'Events were left out: read the history again. Live events go on after the seq',
  },
  resumed: { fields: { rooms: Anything }, text: 'The replay of a resume is complete' },
  notice: { fields: { code: Type.String(), message: Type.String() }, text: 'Something that the user should know' },
} as const;

export const eventSchemas = Object.fromEntries(
  Object.entries(durableEvents).map(([type, { data }]) => [
    type,
    named(
      `${pascalCase(type)}Event`,
      Type.Object({ type: Type.Literal(type), roomId: Uuid, seq: Seq, at: Time, messageSeq: MessageSeq, data }),
    ),
  ]),
);

export const frameSchemas = Object.fromEntries(
  Object.entries(ephemeralFrames).map(([type, { fields }]) => [
    type,
    named(
      `${pascalCase(type)}Frame`,
      Type.Object({ type: Type.Literal(type), ...fields }, { additionalProperties: true }),
    ),
  ]),
);

/** @param type of a frame, such as `message.created` */
export function pascalCase(type: string): string {
  return type.replace(/(^|\.)([a-z])/g, (_whole, _dot, letter: string) => letter.toUpperCase());
}
