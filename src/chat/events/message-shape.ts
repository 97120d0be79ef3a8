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

/** A durable event's JSON; `type` comes first, which `feed.ts` relies on. */
export function eventJson(type: string, roomId: string, seq: number, at: string, data: unknown): string {
  return JSON.stringify({ type, roomId, seq, at, data });
}
