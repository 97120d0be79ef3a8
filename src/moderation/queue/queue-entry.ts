/** An entry of the moderation queue, as moderators see it. */
import type { Message } from '../../chat/state/message-shape.ts';
import type { PublicProfile } from '../../user/profile/profiles.ts';
import type { ModerationLabel } from '../scope/label-schema.ts';

export type QueueState = 'open' | 'approved' | 'removed';

export interface QueueEntry {
  readonly id: string;
  readonly state: QueueState;
  readonly source: 'report' | 'engine';
  readonly createdAt: string;
  readonly room: { readonly id: string; readonly name: string; readonly kind: 'room' | 'dm' };
  /** With its text also when a moderator removed it; without once its author deleted it. */
  readonly message: Message;
  readonly context: { readonly before: Message[]; readonly after: Message[] };
  readonly reportCount: number;
  readonly reports: { readonly reporter: PublicProfile; readonly reason: string; readonly createdAt: string }[];
  readonly labels: ModerationLabel[];
  readonly rules: QueueRule[];
  readonly spamScore: number | null;
  readonly engineVersion: string | null;
  readonly author: QueueAuthor;
  readonly decision: { readonly by: PublicProfile; readonly at: string; readonly note: string | null } | null;
}

export interface QueueRule {
  readonly id: string;
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
  readonly action: 'flag' | 'block';
  readonly note: string | null;
}

export interface QueueAuthor {
  readonly user: PublicProfile;
  readonly kind: 'user' | 'guest';
  readonly accountCreatedAt: string;
  readonly memberRole: string | null;
  readonly joinedAt: string | null;
  readonly mutedUntil: string | null;
  readonly banned: boolean;
  /** In the entry's room, counted up to a bound. */
  readonly messages: number;
  /** Queue entries in the last 30 days, and how many of them were decided as removed. */
  readonly reported: number;
  readonly removed: number;
  /** Texts that were refused in the last 24 hours. */
  readonly blockedLastDay: number;
}
