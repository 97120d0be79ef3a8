/** A message and an event as the API shows them, and the one way their JSON is made. */
import { type Static, Type } from 'typebox';
import { Nullable, named, PublicUser, Seq, Time, Uuid } from '../../http/input/schemas.ts';
import type { PublicProfile } from '../../user/profile/profiles.ts';
import { extrasJson, type MessageExtras, MessageExtrasShape } from './message-extras.ts';

/** A message as the API shows it. A new field begins here: see docs/adding-a-message-field.md. */
export const MessageShape = named(
  'Message',
  Type.Object({
    id: Uuid,
    roomId: Uuid,
    seq: Seq,
    sender: PublicUser,
    text: Type.String({ description: 'Markdown source' }),
    html: Type.String({
      description:
        'The text rendered to safe HTML. `span.mention` marks members of the room; other names are plain text. A line break within an element is a plain newline; `withLineBreaks` of the client turns it into `<br>`',
    }),
    mentions: Type.Array(Uuid),
    replyTo: Nullable(Uuid),
    replyCount: Type.Integer(),
    ...MessageExtrasShape,
    clientId: Nullable(Type.String()),
    createdAt: Time,
    editedAt: Nullable(Time),
    deletedAt: Nullable(Time),
    duplicate: Type.Optional(Type.Boolean({ description: 'The clientId was used before: this is the first message' })),
  }),
);

export type Message = Readonly<Omit<Static<typeof MessageShape>, 'duplicate' | keyof MessageExtras>> & MessageExtras;

/** A message without its sender's profile, its rare parts in an object of their own. */
export type MessageFields = Omit<Message, 'sender' | keyof MessageExtras> & { readonly extras: MessageExtras };

/** The profile shown for an erased account whose messages remain. */
export function unknownProfile(id: string): PublicProfile {
  return { id, username: 'deleted', displayName: 'Deleted user', avatarUrl: null };
}

export function toMessage(fields: MessageFields, sender: PublicProfile): Message {
  return {
    id: fields.id,
    roomId: fields.roomId,
    seq: fields.seq,
    sender,
    text: fields.text,
    html: fields.html,
    mentions: fields.mentions,
    replyTo: fields.replyTo,
    replyCount: fields.replyCount,
    ...fields.extras,
    clientId: fields.clientId,
    createdAt: fields.createdAt,
    editedAt: fields.editedAt,
    deletedAt: fields.deletedAt,
  };
}

/** Profiles as JSON, each made once: a few people send most messages. */
const profileJson = new WeakMap<PublicProfile, string>();

function jsonOf(profile: PublicProfile): string {
  const known = profileJson.get(profile);
  if (known !== undefined) return known;
  const { id, username, displayName, avatarUrl } = profile;
  const json = JSON.stringify({ id, username, displayName, avatarUrl });
  profileJson.set(profile, json);
  return json;
}

/**
 * A message's JSON, byte for byte what `JSON.stringify` makes of `toMessage`. Written by hand because every send and every
 * page of history needs it. message-shape.test.ts compares the two.
 */
export function messageJson(fields: MessageFields, sender: PublicProfile): string {
  const { id, roomId, seq, text, html, mentions } = fields;
  return (
    `{"id":"${id}","roomId":"${roomId}","seq":${seq},"sender":${jsonOf(sender)},"text":${JSON.stringify(text)},` +
    `"html":${JSON.stringify(html)},"mentions":${mentions.length === 0 ? '[]' : JSON.stringify(mentions)},` +
    `"replyTo":${quoted(fields.replyTo)},"replyCount":${fields.replyCount},` +
    `${extrasJson(fields.extras)},"clientId":${JSON.stringify(fields.clientId)},` +
    `"createdAt":"${fields.createdAt}","editedAt":${quoted(fields.editedAt)},"deletedAt":${quoted(fields.deletedAt)}}`
  );
}

/** For ids and times: they contain nothing that JSON escapes. */
function quoted(plain: string | null): string {
  return plain === null ? 'null' : `"${plain}"`;
}

/** The JSON of a new message's event, as `eventJson` makes it. */
export function createdEventJson(fields: MessageFields, sender: PublicProfile): string {
  const { roomId, seq, createdAt } = fields;
  return `{"type":"message.created","roomId":"${roomId}","seq":${seq},"at":"${createdAt}","data":{"message":${messageJson(fields, sender)}}}`;
}

/**
 * The JSON of a durable event. `type` comes first: `eventType` in feed.ts reads it from there; the fields before `data` are read by
 * hidden-events.ts.
 * @param messageSeq of the earlier message that the event is about, in rooms where not everybody may read it
 */
export function eventJson(
  type: string,
  roomId: string,
  seq: number,
  at: string,
  data: unknown,
  messageSeq?: number,
): string {
  return JSON.stringify({ type, roomId, seq, at, messageSeq, data });
}
