/** Reads moderators' rules from Postgres for the engine. A rule never changes: it is created and later revoked. */
import type { Sql } from '../../database/connect.ts';
import type { Rule } from '../../spam/rules/rules.ts';

export interface StoredRules {
  /** Identifies the rules in force. If it differs from the last one, there is something to read. */
  readonly version: () => Promise<string>;
  readonly read: () => Promise<Rule[]>;
}

export function createStoredRules(sql: Sql): StoredRules {
  return {
    version: async () => {
      const [row] = await sql<{ version: string }[]>`
        select left(md5(coalesce(string_agg(id::text, ',' order by id), '')), 12) as version from moderation_rules where deleted_at is null`;
      return row!.version;
    },
    read: async () => {
      const rows = await sql<(Omit<Rule, 'roomId'> & { room_id: string | null })[]>`
        select id, room_id, kind, pattern, action from moderation_rules where deleted_at is null order by id`;
      return rows.map(({ room_id, ...rule }) => ({ ...rule, roomId: room_id ?? undefined }));
    },
  };
}
