/**
 * A message on its way into the log. Each step takes the type of the step before it and adds what it has found out:
 *
 * `Draft` (as the client sent it) → `CheckedDraft` (storable, with an id) → `AdmittedDraft` (its author may post) →
 * `ModeratedDraft` (judged and rendered) → `SendOutcome` (stored, with a seq).
 *
 * A new field of a message is added to `MessageContent` and passes through all of them: docs/adding-a-message-field.md.
 */
import type { Feed } from '../../realtime/feed/feed.ts';
import type { PublicProfile } from '../../user/profile/profiles.ts';
import type { Actor, RoomState } from './room-state.ts';
import type { Flag } from './verdict-records.ts';

/** What a client asks to be sent. */
export interface Draft {
  readonly roomId: string;
  /** The sender's key: the same key and content again get the first answer. */
  readonly clientId: string;
  /** Markdown source. */
  readonly text: string;
  readonly replyTo?: string;
}

/** A draft that can be stored. */
export interface CheckedDraft {
  /** Of the message that it becomes. */
  readonly messageId: string;
  readonly roomId: string;
  readonly authorId: string;
  readonly clientId: string;
  /** Compares repeats of the key: see `contentDigest`. */
  readonly digest: bigint;
  /** Markdown source in NFC. */
  readonly text: string;
  readonly replyTo: string | null;
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

/** A draft that moderation allows, ready to be appended. */
export interface ModeratedDraft extends AdmittedDraft {
  /** The author as readers see them. */
  readonly sender: PublicProfile;
  readonly html: string;
  /** User ids, each once. */
  readonly mentions: string[];
  /** Recorded for the moderators in the message's commit. */
  readonly flag: Flag | undefined;
}

/** What became of a send. */
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
