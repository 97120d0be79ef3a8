/** Types of the public API. Times are RFC 3339, in UTC. */

export interface Profile {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
  /** What the person says about themselves at present. */
  readonly status?: CustomStatus | null;
}

export interface CustomStatus {
  readonly emoji: string | null;
  readonly text: string | null;
  /** Null: until it is cleared. */
  readonly expiresAt: string | null;
}

/** `offline` is never chosen: the person has no connection, or is invisible. */
export type Presence = 'online' | 'away' | 'dnd' | 'offline';

export interface OwnUser extends Profile {
  readonly kind: 'user' | 'guest';
  readonly role: 'user' | 'moderator' | 'admin';
  readonly email: string | null;
  readonly emailVerified: boolean;
}

export interface Message {
  readonly id: string;
  readonly roomId: string;
  readonly seq: number;
  readonly sender: Profile;
  /** Markdown source; empty once deleted. */
  readonly text: string;
  /** Safe to show as it is. */
  readonly html: string;
  readonly mentions: readonly string[];
  readonly mentionsAll: 'here' | 'room' | null;
  readonly replyTo: string | null;
  readonly replyCount: number;
  /** Of the message that starts the thread that this message is in. */
  readonly threadId: string | null;
  /** A message of a thread that is in the room's history as well. */
  readonly alsoInRoom?: true;
  /** Of the thread that this message starts. */
  readonly thread: ThreadSummary | null;
  readonly attachments: readonly Attachment[];
  readonly reactions: readonly Reaction[];
  readonly pinned: boolean;
  /** Who wrote the message that was forwarded, and when. */
  readonly forwarded?: { readonly sender: Profile; readonly createdAt: string };
  readonly poll?: Poll;
  readonly previews?: readonly Preview[];
  /** The message is still being written. */
  readonly streaming?: true;
  /** Its writer fell silent before the end. */
  readonly interrupted?: true;
  readonly clientId: string | null;
  readonly createdAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
}

export interface ThreadSummary {
  readonly replyCount: number;
  readonly lastReplyAt: string | null;
  /** Of the five people who wrote last, newest first. */
  readonly userIds: readonly string[];
  /** Of the newest message that is counted here. Events up to it change nothing in this summary. */
  readonly lastSeq: number;
}

export interface Reaction {
  /** An emoji, or `:name:` of a custom emoji. */
  readonly emoji: string;
  readonly count: number;
  /** Of the first 20 people. */
  readonly userIds: readonly string[];
}

export interface Attachment {
  readonly id: string;
  readonly name: string;
  /** Media type, by the content of the file. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly blurhash: string | null;
  readonly thumbnailUrl: string | null;
  readonly url: string;
}

export interface Poll {
  readonly question: string;
  readonly options: readonly string[];
  readonly multiple: boolean;
  readonly anonymous: boolean;
  readonly closesAt: string | null;
  readonly closedAt: string | null;
  /** One for each option. */
  readonly results: readonly { readonly count: number; readonly userIds?: readonly string[] }[];
  /** The options that the user has chosen. In REST answers only. */
  readonly own?: readonly number[];
}

export interface Preview {
  readonly url: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly siteName: string | null;
  readonly imageUrl: string | null;
}

export interface Room {
  readonly id: string;
  readonly kind: 'room' | 'dm';
  readonly name: string;
  readonly topic: string;
  readonly visibility: 'public' | 'private';
  readonly history: 'all' | 'joined';
  /** 0: none. */
  readonly slowModeSeconds: number;
  /** Who may pin messages. */
  readonly pins: 'moderators' | 'members';
  /** Members see how far others have read. */
  readonly receipts: boolean;
  readonly seq: number;
  readonly memberCount: number;
  readonly createdAt: string;
}

export interface OwnRoom extends Room {
  /** The user's own. */
  readonly role: Member['role'];
  readonly unread: number;
  readonly mentions: number;
  readonly lastReadSeq: number;
  /** Orders answers about the counts, together with `seq`. */
  readonly readVersion: number;
  readonly lastMessage: Message | null;
}

export interface Member {
  readonly user: Profile;
  readonly role: 'owner' | 'moderator' | 'member';
  readonly mutedUntil: string | null;
}

export interface Login {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** What each durable event tells, by its type. */
export interface RoomEventData {
  readonly 'message.created': { readonly message: Message };
  /** `thread`: of the message's thread, where the change made another summary of it. */
  readonly 'message.updated': { readonly message: Message; readonly thread?: ThreadChange };
  /** About a message from before the user joined, which the user may not read. */
  readonly 'message.hidden': object;
  readonly 'message.deleted': { readonly messageId: string; readonly by: string; readonly thread?: ThreadChange };
  readonly 'reaction.added': ReactionChange;
  readonly 'reaction.removed': ReactionChange;
  readonly 'message.pinned': { readonly messageId: string; readonly by: string };
  readonly 'message.unpinned': { readonly messageId: string; readonly by: string };
  readonly 'poll.updated': { readonly messageId: string; readonly poll: Poll };
  readonly 'member.joined': MemberChange;
  readonly 'member.updated': MemberChange;
  readonly 'member.left': {
    readonly userId: string;
    readonly by?: string;
    readonly reason: 'left' | 'removed' | 'banned' | 'deleted';
  };
  readonly 'room.updated': { readonly room: Room; readonly by: string };
  readonly 'room.deleted': { readonly by: string };
}

export interface ReactionChange {
  readonly messageId: string;
  readonly emoji: string;
  readonly userId: string;
}

/** The summary of a thread after a message of it was deleted or restored. `threadId` is of the message that starts it. */
export interface ThreadChange extends ThreadSummary {
  readonly threadId: string;
}

export interface MemberChange {
  readonly user: Profile;
  readonly role: Member['role'];
  readonly by: string;
  readonly mutedUntil?: string | null;
}

/** A durable event: `seq` counts 1, 2, 3… in its room. */
export type RoomEvent = {
  readonly [Type in keyof RoomEventData]: {
    readonly type: Type;
    readonly roomId: string;
    readonly seq: number;
    readonly at: string;
    readonly data: RoomEventData[Type];
  };
}[keyof RoomEventData];

/** What each frame without a seq tells, by its type. They are not repeated after a break. */
export interface SignalFields {
  readonly typing: OfRoom<{ readonly userId: string; readonly active: boolean; readonly threadId?: string }>;
  readonly presence: {
    readonly data: { readonly userId: string; readonly status: Presence; readonly customStatus?: CustomStatus | null };
  };
  readonly 'read.updated': OfRoom<ReadState & { readonly userId: string }>;
  readonly 'block.updated': { readonly data: { readonly userId: string; readonly blocked: boolean } };
  readonly 'receipt.updated': OfRoom<Receipt>;
  readonly 'thread.updated': OfRoom<ThreadState & { readonly userId: string }>;
  readonly 'draft.updated': OfRoom<Partial<Draft> & Pick<Draft, 'text' | 'threadId'>>;
  /** `bookmark`: null once it was removed. */
  readonly 'bookmark.updated': OfRoom<{ readonly messageId: string; readonly bookmark: Partial<Bookmark> | null }>;
  readonly 'bookmark.reminder': OfRoom<{ readonly messageId: string; readonly note: string }>;
  readonly 'scheduled.updated': OfRoom<ScheduledMessage>;
  readonly 'scheduled.removed': OfRoom<{ readonly id: string }>;
  readonly 'message.delta': OfRoom<MessageDelta>;
  readonly 'room.joined': OfRoom<{ readonly room: Pick<Room, 'id' | 'name'> & Partial<Room> }>;
  readonly 'room.left': OfRoom<{ readonly reason: string; readonly lastSeq: number }>;
  /** `clientId`: of the user's message that the notice is about. */
  readonly notice: {
    readonly code: string;
    readonly message: string;
    readonly roomId?: string;
    readonly clientId?: string;
    readonly messageId?: string;
  };
}

interface OfRoom<Data> {
  readonly roomId: string;
  readonly data: Data;
}

/** A frame without a seq. */
export type Signal = {
  readonly [Type in keyof SignalFields]: { readonly type: Type } & SignalFields[Type];
}[keyof SignalFields];

/** Any frame of the server. */
export interface ServerFrame {
  readonly type: string;
  readonly id?: string | number;
  readonly roomId?: string;
  readonly seq?: number;
  readonly code?: string;
  readonly message?: string;
  readonly retryAfterMs?: number;
  readonly [key: string]: unknown;
}

export interface WelcomeRoom {
  readonly id: string;
  readonly name: string;
  readonly kind: 'room' | 'dm';
  readonly seq: number;
  /** The first seq that the user may read. Earlier events are not missing. */
  readonly readableFrom: number;
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
  /** Orders answers about the counts, together with `seq`. */
  readonly readVersion: number;
}

/** How far a user has read, and how much is left. */
export interface ReadCounts {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}

/** What the server says of a room's counts, as of one moment. */
export interface ReadState extends ReadCounts {
  /** The head of the room: the counts contain the events up to it. */
  readonly seq: number;
  /** Of two answers, the one with the lower version is older; of two with the same one, the one with the lower `seq`. */
  readonly readVersion: number;
}

/** The user has blocked or unblocked somebody. */
export interface BlockChange {
  readonly userId: string;
  readonly blocked: boolean;
}

/** How far another member has read, in a room with receipts. */
export interface Receipt {
  readonly userId: string;
  readonly lastReadSeq: number;
  readonly at?: string;
}

/** What a thread is to the user. */
export interface ThreadState extends ReadCounts {
  /** The message that starts it. */
  readonly threadId: string;
  readonly following: boolean;
}

/** A thread that the user follows. */
export interface FollowedThread extends ThreadState {
  readonly room: { readonly id: string; readonly kind: Room['kind']; readonly name: string };
  /** The message that starts it. */
  readonly message: Message;
  /** Of the newest message of the thread. */
  readonly lastSeq: number;
}

/** A text that was begun on one of the user's devices. */
export interface Draft {
  readonly roomId: string;
  readonly threadId: string | null;
  readonly text: string;
  readonly attachmentIds: readonly string[];
  readonly updatedAt: string;
}

export interface Bookmark {
  readonly roomId: string;
  readonly messageId: string;
  /** Null where the message is deleted, or the user may not read it any more. */
  readonly message: Message | null;
  readonly note: string;
  readonly remindAt: string | null;
  readonly createdAt: string;
}

/** A message that is sent later. */
export interface ScheduledMessage {
  readonly id: string;
  readonly roomId: string;
  readonly text: string;
  readonly threadId?: string | null;
  readonly sendAt: string;
  readonly state: 'waiting' | 'sending' | 'sent' | 'refused';
  /** Why it was refused. */
  readonly failure?: { readonly code: string; readonly message: string } | null;
}

export interface CustomEmoji {
  readonly id: string;
  /** Without colons. */
  readonly name: string;
  readonly url: string;
}

export interface NewPoll {
  readonly question: string;
  readonly options: readonly string[];
  readonly multiple?: boolean;
  readonly anonymous?: boolean;
  readonly closesAt?: string;
}

/** What a message may hold beside its text. */
export interface MessageParts {
  readonly replyTo?: string;
  readonly threadId?: string;
  readonly alsoInRoom?: boolean;
  readonly attachmentIds?: readonly string[];
  readonly poll?: NewPoll;
  readonly forward?: { readonly roomId: string; readonly messageId: string };
}

/** A piece of a message that is being written word by word. */
export interface MessageDelta {
  readonly messageId: string;
  /** Where the piece belongs in the text, in UTF-16 units. */
  readonly offset: number;
  readonly text: string;
}
