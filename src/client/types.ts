/** Types of the public API. Times are RFC 3339, in UTC. */

export interface Profile {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
}

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

/** A durable event: `seq` counts 1, 2, 3… in its room. */
export interface RoomEvent {
  readonly type: string;
  readonly roomId: string;
  readonly seq: number;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

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
}

/** How far a user has read a room, and how much is left. */
export interface ReadState {
  readonly lastReadSeq: number;
  readonly unread: number;
  readonly mentions: number;
}
