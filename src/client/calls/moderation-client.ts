/** Reports, and moderation for those who may do it. Without `roomId`: all rooms, for staff. */

import type { Member, Message, Profile } from '../types.ts';
import type { Call } from './rest.ts';

/** One reason for a verdict; offsets are UTF-16 units of the text. */
export interface ModerationLabel {
  readonly name: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  readonly id: string;
}

export interface NewModerationRule {
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
  readonly action: 'flag' | 'block';
  readonly roomId?: string;
  readonly note?: string;
}

export interface ModerationRule extends Omit<NewModerationRule, 'roomId' | 'note'> {
  readonly id: string;
  readonly roomId: string | null;
  readonly note: string | null;
  readonly createdBy: Profile;
  readonly createdAt: string;
}

/** The effect that a rule would have had on past messages. */
export interface RuleRehearsal {
  readonly days: number;
  readonly checked: number;
  /** false: not all messages of the time could be checked. */
  readonly complete: boolean;
  readonly matched: number;
  readonly wouldFlag: number;
  readonly wouldBlock: number;
  readonly authors: number;
  readonly examples: readonly {
    readonly messageId: string;
    readonly roomId: string;
    readonly sender: Profile;
    readonly text: string;
    readonly createdAt: string;
    readonly labels: readonly ModerationLabel[];
  }[];
}

export interface QueueEntry {
  readonly id: string;
  readonly state: 'open' | 'approved' | 'removed';
  readonly source: 'report' | 'engine';
  readonly createdAt: string;
  readonly room: { readonly id: string; readonly name: string; readonly kind: 'room' | 'dm' };
  /** With its text, even after it was removed. */
  readonly message: Message;
  readonly context: { readonly before: readonly Message[]; readonly after: readonly Message[] };
  readonly reportCount: number;
  readonly reports: readonly { readonly reporter: Profile; readonly reason: string; readonly createdAt: string }[];
  readonly labels: readonly ModerationLabel[];
  readonly rules: readonly Pick<ModerationRule, 'id' | 'kind' | 'pattern' | 'action' | 'note'>[];
  readonly spamScore: number | null;
  readonly engineVersion: string | null;
  readonly author: {
    readonly user: Profile;
    readonly kind: 'user' | 'guest';
    readonly accountCreatedAt: string;
    readonly memberRole: string | null;
    readonly joinedAt: string | null;
    readonly mutedUntil: string | null;
    readonly banned: boolean;
    readonly messages: number;
    readonly reported: number;
    readonly removed: number;
    readonly blockedLastDay: number;
  };
  readonly decision: { readonly by: Profile; readonly at: string; readonly note: string | null } | null;
}

export interface Ban {
  readonly user: Profile;
  readonly roomId: string | null;
  readonly reason: string | null;
  readonly by: Profile;
  readonly createdAt: string;
  /** null: until it is lifted. */
  readonly expiresAt: string | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly actor: Profile | null;
  readonly roomId: string | null;
  readonly targetId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A refused text: why it was refused, without the text. */
export interface Refusal {
  readonly author: Profile;
  readonly roomId: string;
  readonly kind: 'message' | 'edit';
  readonly labels: readonly Pick<ModerationLabel, 'name' | 'score' | 'id'>[];
  readonly engineVersion: string;
  readonly at: string;
}

/** A moderator's decision that the spam filter learned from, without the text. */
export interface Lesson {
  readonly id: number;
  readonly label: 'spam' | 'ham' | 'offensive' | 'clean';
  readonly moderatorId: string;
  /** null: not a user of this deployment. */
  readonly moderator: Profile | null;
  readonly roomId: string | null;
  readonly messageId: string | null;
  readonly createdAt: string;
}

interface List<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface ModerationClient {
  readonly report: (roomId: string, messageId: string, reason: string) => Promise<void>;
  readonly queue: (query?: {
    roomId?: string | undefined;
    state?: QueueEntry['state'];
    cursor?: string;
  }) => Promise<List<QueueEntry>>;
  /** A decision can be reversed: approving a removed message restores it. */
  readonly decide: (
    entryId: string,
    decision: { decision: 'approve' | 'remove'; note?: string; ban?: { seconds?: number } },
  ) => Promise<QueueEntry>;
  readonly rules: (roomId?: string) => Promise<List<ModerationRule>>;
  readonly createRule: (rule: NewModerationRule) => Promise<ModerationRule>;
  /** Stores nothing. @param days back from now, 1 to 90 */
  readonly rehearseRule: (rule: NewModerationRule, days?: number) => Promise<RuleRehearsal>;
  readonly deleteRule: (ruleId: string) => Promise<void>;
  readonly bans: (roomId?: string) => Promise<List<Ban>>;
  /** @param order.seconds absent: until it is lifted */
  readonly ban: (userId: string, order: { roomId?: string; seconds?: number; reason?: string }) => Promise<Ban>;
  readonly unban: (userId: string, roomId?: string) => Promise<void>;
  /** @param seconds 0: unmutes */
  readonly mute: (roomId: string, userId: string, seconds: number) => Promise<Member>;
  readonly audit: (query?: { roomId?: string | undefined; cursor?: string }) => Promise<List<AuditEntry>>;
  /** Refused texts, with author and reason. */
  readonly refusals: (query?: { roomId?: string | undefined; cursor?: string }) => Promise<List<Refusal>>;
  /** Lessons of the spam filter, for staff. */
  readonly lessons: (query?: { moderatorId?: string; cursor?: string }) => Promise<List<Lesson>>;
  readonly takeBackLesson: (lessonId: number) => Promise<void>;
  /** Takes back all lessons of a moderator. @returns how many there were */
  readonly takeBackLessonsOf: (moderatorId: string) => Promise<number>;
}

export function createModerationClient(call: Call): ModerationClient {
  const path = (rest: string, query: Readonly<Record<string, string | number | undefined>> = {}): string => {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    return `/v1/moderation/${rest}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
  };
  return {
    report: async (roomId, messageId, reason) => {
      await call('POST', `/v1/rooms/${roomId}/messages/${messageId}/report`, { reason });
    },
    queue: (query = {}) => call('GET', path('queue', query)),
    decide: (entryId, decision) => call('POST', path(`queue/${entryId}`), decision),
    rules: (roomId) => call('GET', path('rules', { roomId, limit: 100 })),
    createRule: (rule) => call('POST', path('rules'), rule),
    rehearseRule: (rule, days) => call('POST', path('rules', { dryRun: 'true', days }), rule),
    deleteRule: (ruleId) => call('DELETE', path(`rules/${ruleId}`)),
    bans: (roomId) => call('GET', path('bans', { roomId, limit: 100 })),
    ban: (userId, order) => call('PUT', path(`bans/${userId}`), order),
    unban: (userId, roomId) => call('DELETE', path(`bans/${userId}`, { roomId })),
    mute: (roomId, userId, seconds) =>
      seconds > 0
        ? call('PUT', `/v1/rooms/${roomId}/members/${userId}/mute`, { seconds })
        : call('DELETE', `/v1/rooms/${roomId}/members/${userId}/mute`),
    audit: (query = {}) => call('GET', path('audit', query)),
    refusals: (query = {}) => call('GET', path('refusals', query)),
    lessons: (query = {}) => call('GET', path('lessons', query)),
    takeBackLesson: (lessonId) => call('DELETE', path(`lessons/${lessonId}`)),
    takeBackLessonsOf: async (moderatorId) =>
      (await call<{ takenBack: number }>('DELETE', path('lessons', { moderatorId }))).takenBack,
  };
}
