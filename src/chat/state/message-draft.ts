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
import { invalid } from '../../errors.ts';
import { ClientId, exactly, Time, Uuid } from '../../http/input/schemas.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { PublicProfile } from '../../user/profile/profiles.ts';
import { type MessageExtras, noExtras, toExtras } from './message-extras.ts';
import type { MessageFields } from './message-shape.ts';
import { contentDigest, requireText } from './message-text.ts';
import type { Actor, RoomState } from './room-state.ts';
import type { Flag } from './verdict-records.ts';

/** Bounds what is read at all. The service refuses texts longer than `message.maxLength` with `too_large`. */
export const MessageText = Type.String({ minLength: 1, maxLength: 500_000 });

/** The same where a message may have something else to show: a file, a poll, a forwarded message. */
const OptionalText = Type.String({ maxLength: 500_000 });

const PollDraft = exactly({
  question: Type.String({ minLength: 1, maxLength: 10_000 }),
  options: Type.Array(Type.String({ minLength: 1, maxLength: 10_000 }), { minItems: 2, maxItems: 10 }),
  multiple: Type.Optional(Type.Boolean({ description: 'Several options may be chosen. Default: false' })),
  anonymous: Type.Optional(Type.Boolean({ description: 'Nobody sees who chose what. Default: false' })),
  closesAt: Type.Optional(Time),
});

/** What a draft may hold beside its text. Each has a writer of its own, which runs in the transaction of the append. */
const partFields = {
  attachmentIds: Type.Optional(
    Type.Array(Uuid, {
      maxItems: 100,
      uniqueItems: true,
      description: 'Own uploads, in the order in which they are shown',
    }),
  ),
  poll: Type.Optional(PollDraft),
  forward: Type.Optional(
    exactly({
      roomId: Uuid,
      messageId: Uuid,
    }),
  ),
};

/** The fields that a client sends, over REST and WebSocket alike. */
export const DraftFields = {
  clientId: ClientId,
  text: Type.Optional(OptionalText),
  replyTo: Type.Optional(Uuid),
  threadId: Type.Optional(
    Type.String({ ...Uuid, description: 'A message of the thread, or the message that starts it' }),
  ),
  alsoInRoom: Type.Optional(
    Type.Boolean({ description: 'With `threadId`: the message is in the history of the room too' }),
  ),
  ...partFields,
};

export const SendBody = exactly(DraftFields);

export type Draft = { readonly roomId: string } & Readonly<Static<typeof SendBody>>;

/** A message to copy. */
export interface ForwardDraft {
  readonly roomId: string;
  readonly messageId: string;
  /** The digest of the text that was judged for this room. The append copies no other one. */
  readonly judged?: string;
}

/** What a draft holds beside its text; at least one of them. */
export type DraftParts = Readonly<Omit<Static<ReturnType<typeof exactly<typeof partFields>>>, 'forward'>> & {
  readonly forward?: ForwardDraft;
  /** The message is written word by word, and is still empty. Only streams/stream-start.ts sets it. */
  readonly stream?: true;
};

/** The fields of a message's row that its author or the engine determines. */
type MessageContent = Omit<
  MessageFields,
  'id' | 'roomId' | 'seq' | 'replyCount' | 'createdAt' | 'editedAt' | 'deletedAt' | 'extras'
> &
  Pick<MessageExtras, 'threadId' | 'mentionsAll'> & { readonly alsoInRoom: boolean };

/** A draft that can be stored. */
export interface CheckedDraft extends Pick<MessageContent, 'text' | 'replyTo' | 'threadId' | 'alsoInRoom'> {
  /** Of the message that it becomes. */
  readonly messageId: string;
  readonly roomId: string;
  readonly authorId: string;
  /** The sender's key: the same key and content again get the first answer. */
  readonly clientId: string;
  /** Compares repeats of the key: see `contentDigest`. */
  readonly digest: bigint;
  /** Undefined for a message that is text alone, as nearly all are. */
  readonly parts: DraftParts | undefined;
}

/**
 * @param maxLength code points of the text
 * @throws Failure `invalid`, `too_large`
 */
export function checkDraft(authorId: string, draft: Draft, maxLength: number): CheckedDraft {
  const { roomId, clientId, replyTo = null, threadId = null, alsoInRoom = false } = draft;
  if (alsoInRoom && threadId === null) throw invalid('/alsoInRoom', 'only with threadId');
  const parts = partsOf(draft);
  const isTextOptional = parts !== undefined && (draft.text ?? '') === '';
  const text = isTextOptional ? '' : requireText(draft.text ?? '', '/text', maxLength);
  const digest = contentDigest(text, replyTo, threadId || parts ? { threadId, alsoInRoom, ...parts } : undefined);
  return { messageId: newId(), roomId, authorId, clientId, digest, text, replyTo, threadId, alsoInRoom, parts };
}

function partsOf({ attachmentIds, poll, forward }: Draft): DraftParts | undefined {
  const hasFiles = attachmentIds !== undefined && attachmentIds.length > 0;
  if (!hasFiles && poll === undefined && forward === undefined) return undefined;
  if (forward !== undefined && (hasFiles || poll !== undefined))
    throw invalid('/forward', 'not together with attachmentIds or poll');
  return {
    ...(hasFiles ? { attachmentIds } : {}),
    ...(poll === undefined ? {} : { poll }),
    ...(forward === undefined ? {} : { forward }),
  };
}

/** A draft whose author may post it. */
export interface AdmittedDraft extends CheckedDraft {
  readonly feed: Feed<RoomState>;
  readonly actor: Actor;
  /** The author's login; undefined where a host application vouches for them. */
  readonly sessionId: string | undefined;
  /** The room's position at which the author might post. */
  readonly allowedAt: number;
  /** The log that this position is of: see realtime/cluster/log-epoch.ts. */
  readonly epoch: string;
  /** When the admission began, monotonic milliseconds. */
  readonly admittedMs: number;
  /** Whether the client is still there to get the answer, as far as is known. */
  readonly isOpen: () => boolean;
}

/** A draft that moderation allows, ready to be appended: everything that its row holds but the seq and the time. */
export interface ModeratedDraft extends AdmittedDraft, Omit<MessageContent, keyof CheckedDraft> {
  /** The author as readers see them. */
  readonly sender: PublicProfile;
  /** Recorded for the moderators in the message's commit. */
  readonly flag: Flag | undefined;
}

/** The extras of a message that was appended just now, without its parts. */
export function createdExtras({
  threadId,
  mentionsAll,
  alsoInRoom,
}: Pick<ModeratedDraft, 'threadId' | 'mentionsAll' | 'alsoInRoom'>): MessageExtras {
  if (threadId === null && mentionsAll === null) return noExtras;
  return toExtras({ threadId, mentionsAll, ...(alsoInRoom ? { alsoInRoom } : {}) });
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
