/**
 * Records that a text was refused, and why: for moderators, and for what the engine knows of a sender. Neither the text nor
 * the part of it that matched is stored.
 */

import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { RecordRefusal } from '../../chat/state/verdict-records.ts';
import { coalesce } from '../../concurrency/coalesce.ts';
import { plainArray, textArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Scope } from '../scope/moderator-access.ts';

export interface Refusal {
  readonly author: PublicProfile;
  readonly roomId: string;
  readonly kind: 'message' | 'edit';
  readonly labels: { readonly name: string; readonly score: number; readonly id: string }[];
  readonly engineVersion: string;
  readonly at: string;
}

export interface RefusalLog {
  /** Resolves when the record is stored. Refusals that arrive together are stored by one statement. */
  readonly record: RecordRefusal;
  /** Newest first, `limit` and one more. @param before the number that a cursor holds */
  readonly list: (scope: Scope, before: number | undefined, limit: number) => Promise<(Refusal & { number: number })[]>;
  readonly cursorOf: (refusal: { number: number }) => string;
}

/** Records of one statement. */
const batchMax = 500;
/** Statements at once; records that arrive while all of them run share the next one. */
const atOnceMax = 2;
const labelsMax = 20;

export function createRefusalLog({ sql, profiles }: { sql: Sql; profiles: Profiles }): RefusalLog {
  const store = coalesce(
    async (refusals: readonly Parameters<RecordRefusal>[0][]) => {
      const labels = refusals.map(({ verdict }) =>
        JSON.stringify(verdict.labels.slice(0, labelsMax).map(({ name, score, id }) => ({ name, score, id }))),
      );
      await sql`
        insert into moderation_blocks (author_id, room_id, kind, labels, engine_version)
        select author_id, room_id, kind, labels::jsonb, engine_version from unnest(
          ${plainArray(refusals.map(({ authorId }) => authorId))}::uuid[], ${plainArray(refusals.map(({ roomId }) => roomId))}::uuid[],
          ${plainArray(refusals.map(({ kind }) => kind))}::text[], ${textArray(labels)}::text[],
          ${textArray(refusals.map(({ verdict }) => verdict.engineVersion))}::text[]
        ) as given(author_id, room_id, kind, labels, engine_version)`;
      return refusals.map(() => undefined);
    },
    { batchMax, atOnceMax },
  );

  return {
    record: store,
    list: async ({ roomId }, before, limit) => {
      const rows = await sql<
        {
          id: string;
          author_id: string;
          room_id: string;
          kind: Refusal['kind'];
          labels: Refusal['labels'];
          engine_version: string;
          created_at: Date;
        }[]
      >`
        select id, author_id, room_id, kind, labels, engine_version, created_at from moderation_blocks
        where ${roomId === undefined ? sql`true` : sql`room_id = ${roomId}`} and ${before === undefined ? sql`true` : sql`id < ${String(before)}`}
        order by id desc limit ${limit + 1}`;
      const people = await profiles.byIds([...new Set(rows.map((row) => row.author_id))]);
      return rows.map((row) => ({
        number: Number(row.id),
        author: people.get(row.author_id) ?? unknownProfile(row.author_id),
        roomId: row.room_id,
        kind: row.kind,
        labels: row.labels,
        engineVersion: row.engine_version,
        at: row.created_at.toISOString(),
      }));
    },
    cursorOf: ({ number }) => writeCursor([number]),
  };
}
