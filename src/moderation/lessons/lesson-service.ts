/** What the engine learned from moderators: lists the lessons, and revokes those that were wrong. */
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';

interface StoredLesson {
  readonly id: number;
  readonly label: 'spam' | 'ham' | 'offensive' | 'clean';
  readonly moderatorId: string;
  readonly roomId: string | null;
  readonly messageId: string | null;
  readonly createdAt: string;
}

/** Lessons of one moderator, since a time (RFC 3339), or both. */
export interface LessonChoice {
  readonly moderatorId: string | undefined;
  readonly since: string | undefined;
}

/** Where lessons are kept; see processing/engine/learned-examples.ts. */
export interface LessonStore {
  readonly list: (
    moderatorId: string | undefined,
    before: number | undefined,
    limit: number,
  ) => Promise<StoredLesson[]>;
  readonly takeBack: (tx: Transaction, choice: LessonChoice | { readonly id: number }) => Promise<number>;
}

export interface Lesson extends StoredLesson {
  /** null: the moderator has no account in this deployment. */
  readonly moderator: PublicProfile | null;
}

export interface LessonService {
  /** Newest first, `limit` and one more. */
  readonly list: (moderatorId: string | undefined, before: number | undefined, limit: number) => Promise<Lesson[]>;
  /** @returns how many lessons were revoked */
  readonly revoke: (caller: Caller, choice: LessonChoice) => Promise<number>;
  /** @throws Failure `not_found` */
  readonly revokeOne: (caller: Caller, id: number) => Promise<void>;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createLessonService({
  db,
  store,
  profiles,
  recordAct,
}: {
  db: Database;
  store: LessonStore;
  profiles: Profiles;
  recordAct: RecordAct;
}): LessonService {
  const action = 'lesson.takeBack';

  return {
    list: async (moderatorId, before, limit) => {
      const found = await store.list(moderatorId, before, limit);
      const ids = found.map((lesson) => lesson.moderatorId).filter((id) => uuid.test(id));
      const people = await profiles.byIds([...new Set(ids)]);
      return found.map((lesson) => ({ ...lesson, moderator: people.get(lesson.moderatorId) ?? null }));
    },
    revoke: async ({ userId: actorId }, choice) =>
      db.transaction(async (tx) => {
        const lessons = await store.takeBack(tx, choice);
        if (lessons === 0) return 0;
        const { moderatorId, since } = choice;
        const whose = moderatorId === undefined ? {} : uuid.test(moderatorId) ? { targetId: moderatorId } : undefined;
        const details = { lessons, ...(since === undefined ? {} : { since }), ...(whose ? {} : { moderatorId }) };
        await recordAct(tx, { action, actorId, ...whose, details });
        return lessons;
      }),
    revokeOne: async ({ userId: actorId }, id) =>
      db.transaction(async (tx) => {
        if ((await store.takeBack(tx, { id })) === 0) throw new Failure('not_found', 'no such lesson');
        await recordAct(tx, { action, actorId, details: { lessons: 1, lessonId: id } });
      }),
  };
}
