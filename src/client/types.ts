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
  readonly replyTo: string | null;
  readonly clientId: string | null;
  readonly createdAt: string;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
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
