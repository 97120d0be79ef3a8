/** What decides how a person's presence looks to others, read from Postgres in batches. */
import { coalesce } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import type { StatusColumns } from './custom-status.ts';

export interface PersonFacts extends StatusColumns {
  /** Others see the person as offline. */
  readonly invisible: boolean;
  /** The users that the person blocks: they see them as offline. Bounded by `limits.blocksPerUser`. */
  readonly blocked: ReadonlySet<string>;
}

/** @returns the facts as of after the call; undefined for somebody unknown or erased */
export type FindPersonFacts = (userId: string) => Promise<PersonFacts | undefined>;

interface FactsRow {
  readonly id: string;
  readonly status_emoji: string | null;
  readonly status_text: string | null;
  readonly status_expires_at: Date | null;
  readonly invisible: boolean;
  readonly blocked: string[] | null;
}

/** People in one query. */
const batchMax = 500;

export function createPersonFacts(sql: Sql): FindPersonFacts {
  return coalesce(
    async (ids: readonly string[]) => {
      const rows = await sql<FactsRow[]>`
        select u.id, u.status_emoji, u.status_text, u.status_expires_at, u.invisible,
          (select array_agg(b.blocked_id) from blocks b where b.user_id = u.id) as blocked
        from users u where u.id = any(${[...new Set(ids)]}::uuid[]) and u.erased_at is null`;
      const found = new Map(rows.map((row) => [row.id, toFacts(row)]));
      return ids.map((id) => found.get(id));
    },
    { batchMax, atOnceMax: 2 },
  );
}

function toFacts(row: FactsRow): PersonFacts {
  return {
    statusEmoji: row.status_emoji,
    statusText: row.status_text,
    statusExpiresAt: row.status_expires_at,
    invisible: row.invisible,
    blocked: new Set(row.blocked ?? []),
  };
}
