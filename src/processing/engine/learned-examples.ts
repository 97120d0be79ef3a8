/** Moderators' decisions about texts, in Postgres: stored once, bounded, and read again by every engine when they change. */
import { sql as statement } from 'drizzle-orm';
import type { Sql, Transaction } from '../../database/connect.ts';
import type { LearnedExample } from '../../spam/classifier/learner.ts';
import type { OffenceExample } from '../../spam/toxicity/toxicity-learner.ts';
import type { LearnExample } from './text-task.ts';

/** One decision, or one example of a `Learn` call, without its text. */
export interface Lesson {
  readonly id: number;
  readonly label: LearnExample['label'];
  /** A user id for decisions; for calls of `Learn`, the id that the caller chose. */
  readonly moderatorId: string;
  readonly roomId: string | null;
  readonly messageId: string | null;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** Selects lessons by moderator, by time, or by both. */
export interface LessonChoice {
  readonly moderatorId: string | undefined;
  /** RFC 3339. */
  readonly since: string | undefined;
}

export type DecisionExample = LearnExample & Required<Pick<LearnExample, 'origin'>>;

export interface LearnedExamples {
  /**
   * Stores new examples. A moderator's newer decision on a text replaces their older one, and any newer decision on a message
   * replaces the older ones. Texts of erased users are not stored.
   * @returns how many were new
   */
  readonly store: (examples: readonly LearnExample[]) => Promise<number>;
  /** Stores the example of one decision on a message, in the transaction that stores the decision. */
  readonly storeDecision: (tx: Transaction, example: DecisionExample) => Promise<void>;
  /** Lessons in force, newest first: `limit` and one more. @param before the id in the cursor */
  readonly list: (moderatorId: string | undefined, before: number | undefined, limit: number) => Promise<Lesson[]>;
  /** Revokes lessons in the caller's transaction, which records it. Engines then learn without them. @returns how many */
  readonly takeBack: (tx: Transaction, choice: LessonChoice | { readonly id: number }) => Promise<number>;
  /** Identifies the stored state. If it differs from the last one, there is something to read. */
  readonly version: () => Promise<string>;
  /** Oldest first, at most the newest `examplesMax` of each kind. */
  readonly read: () => Promise<ReadExamples>;
}

export interface ReadExamples {
  readonly spam: readonly LearnedExample[];
  readonly offence: readonly OffenceExample[];
}

/** Examples of each kind that are used; older ones are ignored. */
const examplesMax = 2000;

export function createLearnedExamples(sql: Sql): LearnedExamples {
  async function readKind(labels: readonly LearnExample['label'][]): Promise<LearnExample[]> {
    const rows = await sql<{ text: string; label: LearnExample['label']; moderator_id: string }[]>`
      select text, label, moderator_id from learned_examples
      where revoked_at is null and label = any(${labels}::text[]) order by id desc limit ${examplesMax}`;
    return rows.reverse().map(({ text, label, moderator_id: moderatorId }) => ({ text, label, moderatorId }));
  }

  return {
    store: async (examples) => {
      const rows = await sql`
        with given as (
          select * from unnest(${examples.map((each) => each.moderatorId)}::text[], ${examples.map((each) => each.label)}::text[],
            ${examples.map((each) => each.text)}::text[], ${examples.map((each) => each.origin?.authorId ?? null)}::uuid[],
            ${examples.map((each) => each.origin?.roomId ?? null)}::uuid[], ${examples.map((each) => each.origin?.messageId ?? null)}::uuid[])
            as given(moderator_id, label, text, author_id, room_id, message_id)
        ), present as materialized (
          select id from users where id in (select author_id from given) and erased_at is null for key share
        )
        insert into learned_examples (moderator_id, label, text, author_id, room_id, message_id)
        select moderator_id, label, text, author_id, room_id, message_id from given g
        where (author_id is null or author_id in (select id from present)) and not exists (
          select 1 from learned_examples e where e.moderator_id = g.moderator_id and e.text = g.text and e.label = g.label and e.revoked_at is null)
        returning id`;
      if (rows.length > 0) {
        await sql`
          update learned_examples older set revoked_at = now() from learned_examples newer
          where (older.moderator_id = newer.moderator_id and older.text = newer.text or older.message_id = newer.message_id)
            and older.id < newer.id and older.revoked_at is null and newer.id = any(${rows.map((row) => String(row.id))}::bigint[])`;
      }
      return rows.length;
    },
    storeDecision: async (tx, { text, label, moderatorId, origin: { authorId, roomId, messageId } }) => {
      await tx.execute(statement`
        with present as materialized (
          select id from users where id = ${authorId}::uuid and erased_at is null for key share
        ), newer as (
          insert into learned_examples (moderator_id, label, text, author_id, room_id, message_id)
          select ${moderatorId}, ${label}, ${text}, id, ${roomId}::uuid, ${messageId}::uuid from present where not exists (
            select 1 from learned_examples e
            where e.moderator_id = ${moderatorId} and e.text = ${text} and e.label = ${label} and e.revoked_at is null)
          returning id
        )
        update learned_examples older set revoked_at = now() from newer
        where (older.moderator_id = ${moderatorId} and older.text = ${text} or older.message_id = ${messageId}::uuid)
          and older.id < newer.id and older.revoked_at is null`);
    },
    list: async (moderatorId, before, limit) => {
      const rows = await sql<
        {
          id: string;
          label: LearnExample['label'];
          moderator_id: string;
          room_id: string | null;
          message_id: string | null;
          created_at: Date;
        }[]
      >`
        select id, label, moderator_id, room_id, message_id, created_at from learned_examples
        where revoked_at is null and ${moderatorId === undefined ? sql`true` : sql`moderator_id = ${moderatorId}`}
          and ${before === undefined ? sql`true` : sql`id < ${String(before)}`}
        order by id desc limit ${limit + 1}`;
      return rows.map((row) => ({
        id: Number(row.id),
        label: row.label,
        moderatorId: row.moderator_id,
        roomId: row.room_id,
        messageId: row.message_id,
        createdAt: row.created_at.toISOString(),
      }));
    },
    takeBack: async (tx, choice) => {
      const which =
        'id' in choice
          ? statement`id = ${choice.id}`
          : statement`(${choice.moderatorId ?? null}::text is null or moderator_id = ${choice.moderatorId ?? null})
              and (${choice.since ?? null}::timestamptz is null or created_at >= ${choice.since ?? null}::timestamptz)`;
      const taken = await tx.execute(
        statement`update learned_examples set revoked_at = now() where ${which} and revoked_at is null returning id`,
      );
      return taken.length;
    },
    version: async () => {
      // Ids are assigned before the commit, so an older id may appear after a newer one: the count detects it.
      const [row] = await sql<{ version: string }[]>`
        select coalesce(max(id), 0) || '/' || count(*) || '/' || count(revoked_at) || '/' ||
          coalesce(extract(epoch from max(created_at)), 0) as version
        from learned_examples`;
      return row!.version;
    },
    read: async () => {
      const [spam, offence] = await Promise.all([readKind(['spam', 'ham']), readKind(['offensive', 'clean'])]);
      return {
        spam: spam.map(({ text, label, moderatorId }) => ({ text, spam: label === 'spam', moderatorId })),
        offence: offence.map(({ text, label, moderatorId }) => ({
          text,
          offensive: label === 'offensive',
          moderatorId,
        })),
      };
    },
  };
}
