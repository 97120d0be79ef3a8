/** A message and an event as the API shows them, and the one way their JSON is made. */
import type { PublicProfile } from '../../user/profiles.ts';

export interface Message {
  readonly id: string;
  readonly roomId: string;
  readonly seq: number;
  readonly sender: PublicProfile;
  readonly text: string;
  readonly html: string;
  readonly mentions: string[];
  readonly replyTo: string | null;
  readonly replyCount: number;
  readonly attachments: unknown[];
  readonly reactions: unknown[];
  readonly pinned: boolean;
  readonly clientId: string | null;
  /** RFC 3339 UTC with milliseconds, Postgres' clock. */
  readonly createdAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
}

/** What a message row holds, whoever reads it. */
export interface MessageFields {
  readonly id: string;
  readonly roomId: string;
  readonly seq: number;
  readonly text: string;
  readonly html: string;
  readonly mentions: string[];
  readonly replyTo: string | null;
  readonly replyCount: number;
  readonly clientId: string | null;
  readonly createdAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
}

/** Someone whose account is gone: their words may remain, their name does not. */
export function unknownProfile(id: string): PublicProfile {
  return { id, username: 'deleted', displayName: 'Deleted user', avatarUrl: null };
}

export function toMessage(fields: MessageFields, sender: PublicProfile): Message {
  const { id, roomId, seq, text, html, mentions, replyTo, replyCount, clientId, createdAt, editedAt, deletedAt } =
    fields;
  return {
    id,
    roomId,
    seq,
    sender,
    text,
    html,
    mentions,
    replyTo,
    replyCount,
    attachments: [],
    reactions: [],
    pinned: false,
    clientId,
    createdAt,
    editedAt,
    deletedAt,
  };
}

/** Profiles as JSON, made once each: the same few people send most of what is sent. */
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
 * A message's JSON: what `JSON.stringify` makes of `toMessage`, to the letter, put together by hand because every send and
 * every page of history pays for it. message-shape.test.ts holds the two together.
 */
export function messageJson(fields: MessageFields, sender: PublicProfile): string {
  const { id, roomId, seq, text, html, mentions, replyTo, replyCount, clientId, createdAt, editedAt, deletedAt } =
    fields;
  return (
    `{"id":"${id}","roomId":"${roomId}","seq":${seq},"sender":${jsonOf(sender)},"text":${JSON.stringify(text)},` +
    `"html":${JSON.stringify(html)},"mentions":${mentions.length === 0 ? '[]' : JSON.stringify(mentions)},` +
    `"replyTo":${quoted(replyTo)},"replyCount":${replyCount},"attachments":[],"reactions":[],"pinned":false,` +
    `"clientId":${JSON.stringify(clientId)},"createdAt":"${createdAt}","editedAt":${quoted(editedAt)},"deletedAt":${quoted(deletedAt)}}`
  );
}

/** Ids and times hold nothing that JSON escapes. */
function quoted(plain: string | null): string {
  return plain === null ? 'null' : `"${plain}"`;
}

/** The JSON of a new message's event, as `eventJson` makes it. */
export function createdEventJson(fields: MessageFields, sender: PublicProfile): string {
  const { roomId, seq, createdAt } = fields;
  return `{"type":"message.created","roomId":"${roomId}","seq":${seq},"at":"${createdAt}","data":{"message":${messageJson(fields, sender)}}}`;
}

/** A durable event's JSON; `type` comes first, which `feed.ts` relies on. */
export function eventJson(type: string, roomId: string, seq: number, at: string, data: unknown): string {
  return JSON.stringify({ type, roomId, seq, at, data });
}
