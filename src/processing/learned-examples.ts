/** What moderators said of texts, in Postgres: stored once, bounded, read again by every engine when it changed. */
import type { Sql } from '../database/connect.ts';
import type { LearnedExample } from '../spam/learner.ts';
import type { OffenceExample } from '../spam/toxicity-learner.ts';
import type { LearnExample } from './text-task.ts';

export interface LearnedExamples {
  /** Stores what is new; the same moderator's newer word on a text replaces the older. @returns how many were new */
  readonly store: (examples: readonly LearnExample[]) => Promise<number>;
  /** Names the present state; another name means that there is something to read. */
  readonly version: () => Promise<string>;
  /** Oldest first, at most the newest `examplesMax` of each kind. */
  readonly read: () => Promise<ReadExamples>;
}

export interface ReadExamples {
  readonly spam: readonly LearnedExample[];
  readonly offence: readonly OffenceExample[];
}

/** Examples of each kind that are learned from; older ones are forgotten. */
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
        insert into learned_examples (moderator_id, label, text)
        select m, l, t from unnest(${examples.map((each) => each.moderatorId)}::text[], ${examples.map((each) => each.label)}::text[],
          ${examples.map((each) => each.text)}::text[]) as given(m, l, t)
        where not exists (select 1 from learned_examples e where e.moderator_id = m and e.text = t and e.label = l and e.revoked_at is null)
        returning id`;
      if (rows.length > 0) {
        await sql`
          update learned_examples older set revoked_at = now() from learned_examples newer
          where older.moderator_id = newer.moderator_id and older.text = newer.text and older.id < newer.id
            and older.revoked_at is null and newer.id = any(${rows.map((row) => String(row.id))}::bigint[])`;
      }
      return rows.length;
    },
    version: async () => {
      const [row] = await sql<{ version: string }[]>`
        select coalesce(max(id), 0) || '/' || count(revoked_at) as version from learned_examples`;
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
