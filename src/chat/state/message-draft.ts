/**
 * A message on its way into the log. Each step takes the type of the step before it and adds what it has found out:
 *
 * `Draft` (as the client sent it) → `CheckedDraft` (storable, with an id) → `AdmittedDraft` (its author may post) →
 * `ModeratedDraft` (judged and rendered) → `SendOutcome` (stored, with a seq).
 *
 * A new field of `MessageShape` is part of `ModeratedDraft` by itself: docs/adding-a-message-field.md.
 */
import { type Static, Type } from 'typebox';
import { newId } from '../../database/new-id.ts';
import { ClientId, exactly, Uuid } from '../../http/input/schemas.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { PublicProfile } from '../../user/profile/profiles.ts';
import type { MessageFields } from './message-shape.ts';
import { contentDigest, requireText } from './message-text.ts';
import type { Actor, RoomState } from './room-state.ts';
import type { Flag } from './verdict-records.ts';

/** Bounds what is read at all. The service refuses texts longer than `message.maxLength` with `too_large`. */
export const MessageText = Type.String({ minLength: 1, maxLength: 500_000 });

/** The fields that a client sends, over REST and WebSocket alike. */
export const DraftFields = {
  clientId: ClientId,
  text: MessageText,
  replyTo: Type.Optional(Uuid),
  // Clients that know attachments send an empty list.
  attachmentIds: Type.Optional(Type.Array(Uuid, { maxItems: 0, description: 'Empty: there are no uploads' })),
};

export const SendBody = exactly(DraftFields);

export type Draft = { readonly roomId: string } & Readonly<Omit<Static<typeof SendBody>, 'attachmentIds'>>;

/** The fields of a message's row that its author or the engine determines. */
type MessageContent = Omit<
  MessageFields,
  'id' | 'roomId' | 'seq' | 'replyCount' | 'createdAt' | 'editedAt' | 'deletedAt'
>;

/** A draft that can be stored. */
export interface CheckedDraft extends Pick<MessageContent, 'text' | 'replyTo'> {
  /** Of the message that it becomes. */
  readonly messageId: string;
  readonly roomId: string;
  readonly authorId: string;
  /** The sender's key: the same key and content again get the first answer. */
  readonly clientId: string;
  /** Compares repeats of the key: see `contentDigest`. */
  readonly digest: bigint;
}

/**
 * @param maxLength code points of the text
 * @throws Failure `invalid`, `too_large`
 */
export function checkDraft(authorId: string, draft: Draft, maxLength: number): CheckedDraft {
  const text = requireText(draft.text, '/text', maxLength);
  const replyTo = draft.replyTo ?? null;
  const digest = contentDigest(text, replyTo);
  const { roomId, clientId } = draft;
  return { messageId: newId(), roomId, authorId, clientId, digest, text, replyTo };
}

/** A draft whose author may post it. */
export interface AdmittedDraft extends CheckedDraft {
  readonly feed: Feed<RoomState>;
  readonly actor: Actor;
  /** The author's login; undefined where a host application vouches for them. */
  readonly sessionId: string | undefined;
  /** The room's position at which the author might post. */
  readonly allowedAt: number;
}

/** A draft that moderation allows, ready to be appended: everything that its row holds but the seq and the time. */
export interface ModeratedDraft extends AdmittedDraft, Omit<MessageContent, keyof CheckedDraft> {
  /** The author as readers see them. */
  readonly sender: PublicProfile;
  /** Recorded for the moderators in the message's commit. */
  readonly flag: Flag | undefined;
}

/** The place of a sent message in the log, or that it waits for a verdict. */
export interface SendOutcome {
  readonly messageId: string;
  /** 0 while `pending`. */
  readonly seq: number;
  /** Milliseconds since the epoch, Postgres' clock. */
  readonly atMs: number;
  /** The key had been used before, with the same content. */
  readonly duplicate: boolean;
  /** Stored, and seen by its author alone until it is judged (`moderation.fallback: pending`). */
  readonly pending?: boolean;
}
